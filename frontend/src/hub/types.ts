/** The rows of `/api/console/hub`. Instants are RFC 3339 UTC; names as the hub keeps them. */

import type { Feed, Instant } from "../api/types";

export interface TypeCount {
  name: string;
  count: number;
}

export interface HubFeed extends Feed {
  /** Readings in the last minute; null while nobody has watched long enough to tell. */
  minute: number | null;
  /** Readings of each of the last 60 minutes, oldest first; null where nobody watched. */
  hour: (number | null)[];
}

export interface RejectRow {
  source: string;
  reason: string;
  count: number;
  at: Instant;
  bytes: number;
  /** The first bytes, made safe to show; null without the right to see them. */
  begins: string | null;
}

export interface NotificationFigures {
  subscriptions: number;
  waiting: number;
  parked: number;
}

export interface Overview {
  now: Instant;
  store: { kind: string; bytes: number; feed_keep_days: number };
  types: TypeCount[];
  feeds: HubFeed[];
  rejects: { total: number; by_source: { source: string; count: number }[]; examples_shown: boolean; latest: RejectRow[] };
  notifications: NotificationFigures | null;
}

export interface ShortValue {
  name: string;
  kind: string;
  value: unknown;
  unit: string | null;
}

export interface EntityRow {
  id: string;
  types: string[];
  title: string;
  modified_at: Instant;
  observed_at: Instant | null;
  attributes: number;
  values: ShortValue[];
}

export interface EntityPage {
  total: number | null;
  more: boolean;
  offset: number;
  limit: number;
  entities: EntityRow[];
  now: Instant;
}

export interface Members {
  kind: string;
  value: unknown;
  unit: string | null;
  observed_at: Instant | null;
  expires_at: Instant | null;
  dataset_id: string | null;
  subs: (Members & { name: string })[];
  members: Record<string, unknown>;
}

export interface Instance extends Members {
  created_at: Instant;
  modified_at: Instant;
}

export interface Attribute {
  name: string;
  instances: Instance[];
}

export interface Entity {
  id: string;
  types: string[];
  title: string;
  scope: string | string[] | null;
  created_at: Instant;
  modified_at: Instant;
  expires_at: Instant | null;
  version: number;
  attributes: Attribute[];
  places: { attribute: string; geometry: GeoJSON.Geometry }[];
  raw: Record<string, unknown>;
  now: Instant;
}

export interface Series {
  attribute: string;
  kind: "numeric" | "changes" | "empty";
  unit: string | null;
  from_at: Instant;
  to_at: Instant;
  /** 0: each reading stands for itself. */
  bucket_s: number;
  readings: number;
  at: number[];
  avg: number[];
  min: number[];
  max: number[];
  count: number[];
  changes: { at: Instant; kind: string | null; value: unknown }[];
  truncated: boolean;
}

export interface SubscriptionRow {
  id: string;
  name: string;
  owner: string;
  state: string;
  types: string[];
  ids: string[];
  attributes: string[];
  conditions: { name: string; value: string }[];
  endpoint: string;
  sends: string;
  every_s: number | null;
  throttling_s: number | null;
  expires_at: Instant | null;
  last_success_at: Instant | null;
  last_failure_at: Instant | null;
  oldest_at: Instant | null;
  retry_at: Instant | null;
  last_error: string | null;
  sent: number;
  failed: number;
  dropped: number;
  waiting: number;
  parked: number;
}

export interface SubscriptionList {
  subscriptions: SubscriptionRow[];
  total: number;
  now: Instant;
}

export interface ParkedList {
  parked: ParkedRow[];
  more: boolean;
  now: Instant;
}

export interface ParkedRow {
  id: string;
  subscription_id: string;
  endpoint: string;
  at: Instant;
  parked_at: Instant;
  attempts: number;
  reason: string;
  /** The entities it tells of. */
  entities: string[];
}
