/** Shifts, hand-overs and the log as `/api/console` serves them. */

import type { Instant, Task } from "../api/types";

export interface Colleague {
  id: string;
  name: string;
  on_duty: boolean;
  alive: boolean;
  seen_at: Instant | null;
  holds: number;
}

export type HandoverPhase = "offered" | "accepted" | "partly" | "declined" | "withdrawn";

export interface HeldIncident {
  id: string;
  number: string;
  class_ko: string;
  class_en: string;
  priority: number;
  state: string;
  address: string;
  opened_at: Instant;
}

export interface HandoverItem extends HeldIncident {
  item_state: "waiting" | "accepted" | "declined" | "lapsed";
  reason: string;
}

export interface Handover {
  id: string;
  phase: HandoverPhase;
  giver: { id: string; name: string };
  receiver: { id: string; name: string };
  brief: string;
  reason: string;
  offered_at: Instant;
  settled_at: Instant | null;
  items: HandoverItem[];
}

export interface Board {
  shift: { name: string; to_at: Instant } | null;
  next_shift: { name: string; from_at: Instant };
  planned: { from_at: Instant; to_at: Instant } | null;
  people: Colleague[];
  next_people: string[];
  handovers: Handover[];
}

export interface Draft {
  incidents: (HeldIncident & { offered: boolean })[];
  tasks: Task[];
  brief: string;
}

export type Channel = "radio" | "phone" | "visit" | "message";
export type Direction = "in" | "out";

export interface LogEntry {
  id: string;
  incident_id: string | null;
  incident_number: string | null;
  channel: Channel;
  direction: Direction;
  who: string;
  whom: string;
  text: string;
  said_at: Instant;
  written_at: Instant;
  by: string;
  corrects: string | null;
  corrected_by: string | null;
}

export interface Said {
  channel: Channel;
  direction: Direction;
  who: string;
  whom: string;
  text: string;
  incident_id: string;
}
