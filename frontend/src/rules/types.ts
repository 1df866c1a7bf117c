/** The rows of `/api/console/rules`. Instants are RFC 3339 UTC, unknown is null. */

import type { Instant } from "../api/types";

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type JsonObject = { [name: string]: Json };
export type Stage = "draft" | "checked" | "replayed" | "shadow" | "published" | "retired" | "dropped";
export type Step = "edit" | "check" | "replay" | "shadow" | "publish" | "send_back" | "retire" | "roll_back" | "drop";

export interface Named {
  code: string;
  ko: string;
  en: string;
}
export interface Field {
  name: string;
  ko: string;
  en: string;
  kind: string;
  required: boolean;
  default?: Json;
  min?: number;
  max?: number;
  min_items?: number;
  max_items?: number;
  options?: string[];
  unit?: "s" | "m";
}
export interface Form {
  op?: string;
  on?: string;
  do?: string;
  from?: string;
  ko: string;
  en: string;
  class?: string;
  fields: Field[];
}
export interface Vocabulary {
  operators: Form[];
  conditions: Form[];
  effects: Form[];
  sources: Form[];
  classes: Named[];
  source_kinds: Named[];
  weekdays: Named[];
  tiers: Named[];
  per: Named[];
  rule: Field[];
  entity_types: { type: string; attributes: string[] }[] | null;
  districts: { code: string; name_ko: string }[];
  agencies: { code: string; name_ko: string }[];
  sops: { code: string; title_ko: string }[];
  examples: { name: string; definition: JsonObject }[];
}

export interface Part {
  text: string;
  path: string;
}
export interface Sentence {
  ko: { text: string; parts: Part[] };
  en: { text: string; parts: Part[] };
}
export interface Finding {
  code: string;
  where: string;
  ko: string;
  en: string;
  level: "fault" | "warning";
}
export interface Preview {
  sentence: Sentence;
  findings: Finding[];
}
export interface Who {
  id: string;
  name: string;
}

export interface Version {
  id: string;
  name: string;
  number: number;
  cited: string;
  stage: Stage;
  stage_ko: string;
  title_ko: string;
  title_en: string;
  note: string;
  author: Who;
  editors: string[];
  auto: boolean;
  shadow_at: Instant | null;
  published_by: Who | null;
  published_at: Instant | null;
  retired_at: Instant | null;
  created_at: Instant;
  updated_at: Instant;
  revision: number;
  faults: number;
  warnings: number;
}
export interface Difference {
  at: Instant;
  rule: string;
  device: string;
  group: string;
  mode: string;
  class_code: string | null;
  priority: number | null;
  lon: number | null;
  lat: number | null;
  value: Json;
  incident: { id: string; number: string } | null;
}
export interface Report {
  readings: number;
  signals: number;
  fired_new: number;
  fired_published: number | null;
  same: number;
  appear_total: number;
  vanish_total: number;
  appear: Difference[];
  vanish: Difference[];
  by_day: { day: string; new: number; published: number }[];
  late: number;
  bad: number;
  overflowed: number | boolean;
}
export interface Replay {
  id: string;
  state: "queued" | "running" | "done" | "failed" | "stopped";
  progress: number;
  from_at: Instant;
  to_at: Instant;
  asked_at: Instant;
  finished_at: Instant | null;
  by: string;
  error: string;
  current: boolean;
  report: Report | null;
}
export interface Detail extends Version {
  definition: JsonObject;
  sentence: Sentence;
  findings: Finding[];
  acts_externally: boolean;
  replay: Replay | null;
  shadow: { since: Instant; would_have_fired: number } | null;
  waiting: number;
  may: Partial<Record<Step, true | string>>;
}
export interface RuleRow {
  name: string;
  title_ko: string;
  title_en: string;
  published: Version | null;
  work: Version | null;
  versions: number;
  fired_24h: number;
  shadow_24h: number;
  last_fired_at: Instant | null;
}
export interface Rule {
  name: string;
  versions: Version[];
  in_force: Detail | null;
  work: Detail | null;
}
export interface Firing {
  id: string;
  kind: "fired" | "cleared";
  at: Instant;
  noted_at: Instant;
  mode: string;
  shadow: boolean;
  group: string;
  device: string;
  class_code: string | null;
  priority: number | null;
  lon: number | null;
  lat: number | null;
  value: Json;
  signal_id: string | null;
  refused: string;
  incident: { id: string; number: string | null } | null;
  late: boolean;
}
export interface HistoryStep {
  at: Instant;
  act: string;
  by: Who;
  reason: string;
}

export interface Deed {
  id: string;
  incident_id: string;
  rule: string;
  kind: string;
  state: "done" | "asked" | "confirmed" | "declined" | "impossible";
  effect: JsonObject;
  text_ko: string;
  text_en: string;
  reason: string;
  at: Instant;
  decided_by: string | null;
  decided_at: Instant | null;
  needs: string;
}

export type TableKind = "priority" | "grant" | "notify";
export type Policy = "first" | "unique" | "collect";
export interface Texts {
  values: string[];
  negate?: boolean;
}
export interface Between {
  low?: number | null;
  high?: number | null;
}
export interface TableLine {
  name: string;
  when?: Record<string, Texts | Between>;
  then: { priority?: number; propose?: "yes" | "no"; agency?: string; tiers?: string[] };
}
export interface Table {
  id: string;
  kind: TableKind;
  number: number;
  state: string;
  policy: Policy;
  rows: TableLine[];
  note: string;
  author: string;
  created_at: Instant;
  published_by: string | null;
  published_at: Instant | null;
}
export interface TableOf {
  kind: TableKind;
  fields: { name: string; min?: number; max?: number }[];
  published: Table | null;
  draft: Table | null;
}
export interface TableFinding {
  kind: string;
  rows: string[];
  example: Record<string, Json>;
}
