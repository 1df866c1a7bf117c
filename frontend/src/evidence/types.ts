/** Evidence as the server tells it. */

import type { Instant } from "../api/types";

export type ItemKind = "still" | "recording" | "past";
export type ItemState = "WANTED" | "TAKING" | "KEPT" | "PARTIAL" | "FAILED" | "ERASED";
export type ExportState = "REQUESTED" | "APPROVED" | "DENIED" | "WITHDRAWN" | "READY" | "FAILED" | "HANDED_OVER" | "LAPSED";

export interface Who {
  id: string;
  name: string;
}

export interface Item {
  id: string;
  kind: ItemKind;
  state: ItemState;
  mode: string;
  incident_id: string;
  camera: { id: string; label: string };
  taken_by: Who;
  reason: string;
  wanted_at: Instant;
  began_at: Instant | null;
  ended_at: Instant | null;
  most_s: number;
  width: number;
  height: number;
  bytes: number;
  digest: string;
  fault: string;
  halted: boolean;
  lock: { by: Who; until: Instant | null; reason: string } | null;
  keep_until: Instant | null;
  erased_at: Instant | null;
  erased_by: string;
}

export interface Export {
  id: string;
  state: ExportState;
  recipient: { name: string; office: string };
  basis_ko: string;
  purpose: string;
  requested_by: Who;
  requested_at: Instant;
  decided_by: Who | null;
  decided_at: Instant | null;
  reason: string;
  fetched_at: Instant | null;
  bytes: number;
  fault: string;
  items: string[];
}

export interface Recordable {
  id: string;
  label: string;
  record: boolean;
  past_s: number;
}

export interface Evidence {
  items: Item[];
  exports: Export[];
  recordable: Recordable[];
  bases: { code: string; ko: string }[];
}

export interface Deed {
  at: Instant;
  by: string;
  name: string;
  act: string;
}

export interface ExportDraft {
  items: string[];
  recipient_name: string;
  recipient_office: string;
  basis: string;
  purpose: string;
}
