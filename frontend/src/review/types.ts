/** What `/api/console/reviews` says. */

export type Phase = "none" | "open" | "signed";
export type Answer = "yes" | "no" | "na";
export type FindingKind = "good" | "gap" | "cause";
export type LessonKind = "rule" | "sop" | "training" | "equipment" | "other";
export type LessonState = "open" | "drafted" | "done" | "dropped";

export interface Row {
  incident_id: string;
  number: string;
  mode: string;
  class_ko: string;
  class_en: string;
  priority: number;
  state: string;
  address: string;
  opened_at: string;
  closed_at: string | null;
  signals: number;
  phase: Phase;
  signed_at: string | null;
  signed_by: string;
}

export interface Listing {
  rows: Row[];
  total: number;
  counts: Record<Phase, number>;
  next_offset: number | null;
}

export interface Timing {
  key: string;
  ko: string;
  en: string;
  from_at: string | null;
  to_at: string | null;
  seconds: number | null;
}

export interface TimelineLine {
  seq: number;
  at: string;
  actor: string;
  kind: string;
  ko: string;
  en: string;
}

export interface SeenEvent {
  class_ko: string;
  class_en: string;
  source: string;
  device: string;
  first_at: string;
  last_at: string;
  signals: number;
  lon: number | null;
  lat: number | null;
  from_storm: boolean;
}

export interface View {
  camera_id: string;
  camera: string;
  viewer: string;
  recipient: string;
  basis_ko: string;
  started_at: string;
  ended_at: string | null;
  seconds: number;
  crash_closed: boolean;
}

export interface SopStep {
  key: string;
  ko: string;
  en: string;
  standing: string;
  met: boolean;
  late: boolean;
  done_at: string | null;
  done_by: string;
  note: string;
}

export interface Report {
  mode: string;
  incident: {
    number: string;
    class_ko: string;
    class_en: string;
    priority: number;
    source: string;
    agency: { code: string; name_ko: string } | null;
    place: { state: string; lon: number | null; lat: number | null; address: string; district: string };
    basis_ko: string;
    note: string;
    outcome: string;
    owner: string;
    opened_at: string;
    closed_at: string | null;
  };
  timings: Timing[];
  timeline: TimelineLine[];
  timeline_total: number;
  timeline_broken_at: number | null;
  signals: { total: number; events_total: number; by_source: Record<string, number>; events: SeenEvent[]; merged: { number: string }[]; parent: string | null };
  grants: { recipient: string; kind: string; state: string; cameras: number; basis_ko: string; requested_at: string; decided_by: string; rule: string; ended_at: string | null }[];
  views: View[];
  cameras: { id: string; label: string; lon: number | null; lat: number | null; views: number; seconds: number }[];
  evidence: { kind: string; state: string; camera: string; taken_by: string; reason: string; wanted_at: string; digest: string; erased_at: string | null }[];
  exports: { state: string; office: string; to: string; basis_ko: string; requested_by: string; requested_at: string; decided_by: string }[];
  tasks: { ko: string; en: string; state: string; due_at: string; done_at: string | null; late: boolean; done_by: string; note: string }[];
  checklists: { code: string; ko: string; en: string; started_at: string; steps: SopStep[] }[];
  messages: { ko: string; sent_at: string; sent_by: string; deliveries: { to: string; duty: string; state: string; channels: string[]; wants_ack: boolean; acknowledged_at: string | null; took_s: number | null }[] }[];
  handovers: { from: string; to: string; offered_at: string; answered_at: string | null; state: string; reason: string }[];
  log: { channel: string; who: string; whom: string; text: string; said_at: string; by: string; corrected: boolean }[];
  rules: { rule: string; effect: string; state: string; at: string; reason: string }[];
  review: { summary: string; signed_by: string; signed_at: string | null; checklist: { key: string; ko: string; en: string; answer: Answer | null; note: string }[] } | null;
}

export interface Lesson {
  id: string;
  incident_id: string;
  incident_number: string;
  kind: LessonKind;
  text: string;
  owner: string;
  mine: boolean;
  due_on: string;
  state: LessonState;
  draft: string;
  word: string;
  moves: string[];
}

export interface One extends Row {
  version: number;
  report: Report;
  names: Record<string, string>;
  findings: { id: string; kind: FindingKind; text: string; by: string }[];
  lessons: Lesson[];
  documents: { number: number; digest: string; key_id: string; signed_at: string; text: string }[];
  may: { review: boolean; open: boolean; sign: boolean; own: boolean; rules: boolean; sop: boolean };
}

export interface Choices {
  owners: { id: string; name: string }[];
  sops: { code: string; title_ko: string }[];
  examples: { name: string; title_ko: string; title_en: string }[];
}

export interface Load {
  items: number;
  windows: number;
  known: number;
  average: number | null;
  peak: number | null;
  peak_at: string | null;
  flood: number | null;
  shares: Record<"high" | "medium" | "low", number> | null;
  untaken: number;
  to_claim_median_s: number | null;
  to_claim_p90_s: number | null;
}

export interface Stretch extends Load {
  name: string;
  from_at: string;
  to_at: string;
}

export interface AlarmLoad {
  from_at: string;
  to_at: string;
  by: string;
  wanted: { steady: number; flood_from: number; flood_until: number; shares: Record<"high" | "medium" | "low", number> };
  whole: Load;
  stretches: Stretch[];
  people: { code: string; name: string; hours: number; taken: number; per_10_min: number | null; busiest: number; to_claim_median_s: number | null; to_claim_p90_s: number | null }[];
  named: boolean;
  sources: {
    signals: number;
    most: { source: string; device: string; signals: number }[];
    chattering: { source: string; device: string; times: number; last_at: string }[];
    standing: { source: string; device: string; first_at: string; last_at: string }[];
  };
}
