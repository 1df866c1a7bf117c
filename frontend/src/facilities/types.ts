/** The rows of `/api/console/facilities`. Instants are RFC 3339 UTC, days ISO, unknown is null. */

import type { Instant } from "../api/types";

export type Kind = "cctv" | "bell" | "light" | "sensor" | "shelter" | "other";
export type Condition = "working" | "suspect" | "out" | "unknown" | "off";
export type OutageState = "suspected" | "open" | "acknowledged" | "in_repair" | "restored" | "closed" | "cleared";
export type OrderState = "issued" | "accepted" | "working" | "done" | "verified" | "cancelled";
export type OutageStep = "acknowledge" | "repair" | "restore" | "close" | "dismiss";
export type OrderStep = "accept" | "start" | "finish" | "verify" | "reject" | "cancel";
export type Result = "pass" | "fail" | "unknown";

export interface Share {
  facilities: number;
  known_facilities: number;
  availability: number | null;
  coverage: number | null;
  down_hours: number;
  known_hours: number;
  total_hours: number;
}

export interface KindRow {
  kind: Kind;
  total: number;
  working: number;
  suspect: number;
  out: number;
  unknown: number;
  overdue: number;
  never: number;
  unlinked: number;
  link_unknown: number;
  availability: number | null;
  coverage: number | null;
  oldest_outage_at: Instant | null;
}

export interface Board {
  kinds: KindRow[];
  outages: number;
  orders: number;
  vendors: string[];
  month: string;
}

export interface Facility {
  id: string;
  kind: Kind;
  name: string;
  address: string;
  lon: number | null;
  lat: number | null;
  vendor: string;
  condition: Condition;
  condition_at: Instant | null;
  heard_at: Instant | null;
  watched: boolean;
  police_link: "yes" | "no" | "unknown" | null;
  last_inspected_on: string | null;
  last_inspection_result: Result;
  next_inspection_on: string | null;
  overdue_days: number | null;
  mode: string;
}

export interface Page<T> {
  rows: T[];
  offset: number;
  total: number;
}

export interface Brief {
  id: string;
  kind: Kind;
  name: string;
  address: string;
  vendor: string;
  lon: number | null;
  lat: number | null;
}

export interface Outage {
  id: string;
  facility: Brief;
  state: OutageState;
  cause: string;
  cause_ko: string;
  text: string;
  began_at: Instant;
  opened_at: Instant | null;
  acknowledged_by: string;
  restored_at: Instant | null;
  due_at: Instant | null;
  closed_at: Instant | null;
  close_reason: string;
  relapses: number;
  void: boolean;
  reported_by: string;
  order: { id: string; number: string; state: OrderState } | null;
  version: number;
}

export interface Order {
  id: string;
  number: string;
  facility: Brief;
  outage_id: string | null;
  state: OrderState;
  assignee_kind: "vendor" | "department" | "person";
  assignee: string;
  what: string;
  due_on: string;
  late_days: number | null;
  parts: { name: string; count: number }[];
  photos: string[];
  issued_by: string;
  issued_at: Instant;
  done_by: string;
  done_at: Instant | null;
  verified_by: string;
  verified_at: Instant | null;
  note: string;
  version: number;
}

export interface Inspection {
  id: string;
  facility: Brief;
  state: "planned" | "done" | "cancelled";
  due_on: string | null;
  late_days: number | null;
  assigned_to: string;
  done_on: string | null;
  result: Result;
  note: string;
  photos: string[];
  source: string;
  recorded_by: string;
  version: number;
}

export interface Thing extends Facility {
  source_key: string;
  model: string;
  agency_name: string;
  agency_phone: string;
  installed_on: string | null;
  feed_key: string;
  expected_every_s: number | null;
  in_service: boolean;
  service_note: string;
  hushed: string;
  parts: { id: string; health: string; reason: string; at: Instant }[];
  attributes: Record<string, unknown>;
  outages: Outage[];
  orders: Order[];
  inspections: Inspection[];
  month: Share;
  notes: { at: Instant; actor: string; step: string; text: string; outage: string }[];
}

export interface AvailabilityRow extends Share {
  kind: Kind;
  vendor: string;
}

export interface MapAnswer {
  columns: string[];
  rows: [string, number, number, Kind, Condition, string][];
  clusters: { lon: number; lat: number; count: number; out: number; worst: Condition }[];
  total: number;
}

export interface Wanted {
  q: string;
  kind: string;
  condition: string;
  vendor: string | null;
  police_link: string;
  inspection: string;
  service: string;
}
