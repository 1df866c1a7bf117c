/** Which incidents the queue shows and in which order. Pure. */

import type { Incident, IncidentState, Task } from "../api/types";

export type QueueFilter = "open" | "emergency" | "mine" | "todo" | "closed";

export const CLOSED_STATES: ReadonlySet<IncidentState> = new Set<IncidentState>([
  "CLOSED",
  "REVIEWED",
  "DISMISSED",
  "MERGED",
  "CANCELLED",
]);

export function isOpen(incident: Pick<Incident, "state">): boolean {
  return !CLOSED_STATES.has(incident.state);
}

/** What the platform itself reports (a link that fell silent) happens nowhere on the map. */
export function lacksPlace(incident: Incident): boolean {
  return incident.place.state === "unlocated" && incident.source !== "system";
}

/** Waiting for a decision of a person: a grant to approve, a place to find, or an open task. */
export function needsHand(incident: Incident, tasks: ReadonlyMap<string, Task>): boolean {
  if (!isOpen(incident)) return false;
  if (incident.pending_grants > 0 || lacksPlace(incident)) return true;
  for (const task of tasks.values()) {
    if (task.incident_id === incident.id && isOpenTask(task)) return true;
  }
  return false;
}

export function isOpenTask(task: Task): boolean {
  return !["done", "closed", "cancelled", "expired"].includes(task.state.toLowerCase());
}

const STATE_RANK: Partial<Record<IncidentState, number>> = { NEW: 0, VERIFYING: 1, ACTIVE: 2, STABILISED: 3 };

/** Most urgent first, then what nobody has taken up, then the newest. Closed ones: last closed first. */
export function compare(a: Incident, b: Incident): number {
  const open = Number(isOpen(b)) - Number(isOpen(a));
  if (open !== 0) return open;
  if (!isOpen(a)) return (b.closed_at ?? b.updated_at).localeCompare(a.closed_at ?? a.updated_at);
  return (
    a.priority - b.priority ||
    (STATE_RANK[a.state] ?? 9) - (STATE_RANK[b.state] ?? 9) ||
    b.opened_at.localeCompare(a.opened_at)
  );
}

export function select(
  incidents: Iterable<Incident>,
  filter: QueueFilter,
  me: string,
  tasks: ReadonlyMap<string, Task>,
): Incident[] {
  return [...incidents].filter((row) => belongs(row, filter, me, tasks)).sort(compare);
}

function belongs(row: Incident, filter: QueueFilter, me: string, tasks: ReadonlyMap<string, Task>): boolean {
  if (filter === "closed") return !isOpen(row);
  if (!isOpen(row)) return false;
  if (filter === "emergency") return row.priority <= 1;
  if (filter === "mine") return row.owner?.id === me;
  return filter === "open" || needsHand(row, tasks);
}

export type Urgency = "emergency" | "caution" | "notice";

/** ▲ 긴급 for 0 and 1, ◆ 주의 for 2, ● 알림 below. */
export function urgencyOf(priority: number): Urgency {
  if (priority <= 1) return "emergency";
  return priority === 2 ? "caution" : "notice";
}

/** Rows that stand in the upper part of the queue, never folded: open and urgent. */
export function isUrgentRow(row: Pick<Incident, "priority" | "state">): boolean {
  return row.priority <= 1 && isOpen(row);
}

/** A storm holds many events in one row. */
export function isStorm(row: Pick<Incident, "class_code">): boolean {
  return row.class_code === "storm";
}
