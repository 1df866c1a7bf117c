/** Signals, the events they are gathered into, storms and shelves as `/api/console/signals` serves them. */

import type { Instant, Mode } from "../api/types";

export interface Named {
  class_code: string;
  class_ko: string;
  class_en: string;
}

export interface SignalPlace {
  lon: number | null;
  lat: number | null;
  accuracy_m: number | null;
  address: string;
}

/** What one storm holds. */
export interface Storm {
  incident_id: string;
  number: string;
  state: string;
  mode: Mode;
  district: string;
  opened_at: Instant;
  last_at: Instant;
  signals: number;
  events: number;
  split_out: number;
  by_priority: Record<string, number>;
  by_class: (Named & { events: number })[];
}

/** One occurrence: the signals that tell of the same thing. */
export interface Event extends Named {
  id: string;
  mode: Mode;
  priority: number;
  source: string;
  device: string;
  district: string;
  place: SignalPlace;
  text: string;
  first_at: Instant;
  last_at: Instant;
  ended_at: Instant | null;
  signals: number;
  incident_id: string;
  storm_id: string | null;
  in_storm: boolean;
}

export interface Signal extends Named {
  id: string;
  mode: Mode;
  source: string;
  device: string;
  observed_at: Instant;
  received_at: Instant;
  place: SignalPlace;
  priority: number;
  confidence: number | null;
  text: string;
  media_ref: string;
  attributes: Record<string, unknown>;
  rule: string;
  ending: boolean;
  outcome: "" | "incident" | "shelf" | "reject";
  reason: string;
  event_id: string | null;
  shelf_id: string | null;
}

export interface Shelf {
  id: string;
  mode: Mode;
  source: string;
  device: string;
  reason: string;
  automatic: boolean;
  shelved_by: { id: string; name: string };
  shelved_at: Instant;
  until: Instant;
  ended_at: Instant | null;
  ended_by: { id: string; name: string } | null;
  ended_reason: string;
  signals: number;
}

/** A device and how much it said lately. */
export interface Talker {
  source: string;
  device: string;
  mode: Mode;
  signals: number;
  events: number;
  last_at: Instant;
  shelved: boolean;
}

export interface Load {
  operators: number;
  window_s: number;
  allowed: number;
  new_items: number;
  new_urgent: number;
  per_operator: number;
  per_operator_hour: number;
  in_storms: number;
  shelved: number;
  by_operator: { id: string; name: string; taken: number; open: number }[];
}

export interface Page<Row> {
  rows: Row[];
  total: number;
  next_offset: number | null;
}

export interface Filter {
  q: string;
  class_code: string;
  priority: string;
  source: string;
  district: string;
}

export interface NewReport {
  class_code: string;
  informant: "operator" | "citizen";
  priority: number | null;
  lon?: number;
  lat?: number;
  address: string;
  text: string;
  report_id: string;
}
