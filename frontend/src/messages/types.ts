/** Situation messages as the server tells them. */

import type { Instant } from "../api/types";

export type DeliveryState = "trying" | "sent" | "phone" | "acknowledged" | "unreached" | "told" | "withdrawn";
export type AttemptState = "queued" | "sending" | "sent" | "failed" | "unsure" | "dropped";

export interface Attempt {
  channel: string;
  state: AttemptState;
  at: Instant;
  error: string;
}

export interface Delivery {
  id: string;
  recipient: { name: string; duty: string; tier: string };
  state: DeliveryState;
  channels: string[];
  step: number;
  wants_ack: boolean;
  acknowledged_at: Instant | null;
  acknowledged_by: string;
  how: string;
  note: string;
  attempts: Attempt[];
}

export interface Message {
  id: string;
  mode: string;
  level: string;
  level_ko: string;
  tiers: string[];
  text_ko: string;
  text_en: string;
  area: string;
  ack_within_s: number;
  sent_by: string;
  rule: string;
  sent_at: Instant;
  states: Record<DeliveryState, number>;
  total: number;
  deliveries: Delivery[];
}

export interface Template {
  name: string;
  level: string;
  tiers: string[];
  text_ko: string;
  text_en: string;
}

export interface Choices {
  tiers: { code: string; label: string; recipients: number }[];
  levels: { code: string; ko: string; en: string }[];
  channels: { name: string; ko: string; en: string }[];
  area: string;
  templates: Template[];
}

export interface Listener {
  id: string;
  name: string;
  duty: string;
  tier: string;
  channels: string[];
  wants_ack: boolean;
}

export interface Draft {
  level: string;
  tiers: string[];
  text_ko: string;
  text_en: string;
  area: string;
  ack_within_s: number;
  key: string;
}
