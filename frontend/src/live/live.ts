/**
 * What the screen knows, as a value: a snapshot evolved by changes. Pure.
 *
 * The promise kept with the server: a snapshot plus the changes after its cursor equals a fresh snapshot.
 */

import type { Counters, Feed, Grant, Incident, Link, Snapshot, Task } from "../api/types";

export interface LiveState {
  readonly cursor: string;
  readonly incidents: ReadonlyMap<string, Incident>;
  readonly grants: ReadonlyMap<string, Grant>;
  readonly tasks: ReadonlyMap<string, Task>;
  readonly links: ReadonlyMap<string, Link>;
  readonly feeds: ReadonlyMap<string, Feed>;
  readonly counters: Counters;
}

/** Changes told without a row: what shows such things asks again. `ref` is the thing's id. */
export const NUDGES = ["shelf", "sop", "handover", "message", "evidence", "rule", "review", "facility"] as const;
export type Nudge = (typeof NUDGES)[number];

export type ChangeKind = "incident" | "grant" | "task" | "link" | "feed" | "counters" | "camera" | Nudge;

export interface Change {
  seq: string;
  kind: ChangeKind;
  ref: string;
  op: "upsert" | "remove";
  row: unknown;
}

const NOTHING: Counters = { dead_letters: 0, rejects: 0, alarms: 0 };

export const EMPTY: LiveState = {
  cursor: "",
  incidents: new Map(),
  grants: new Map(),
  tasks: new Map(),
  links: new Map(),
  feeds: new Map(),
  counters: NOTHING,
};

export function fromSnapshot(snapshot: Snapshot): LiveState {
  return {
    cursor: String(snapshot.cursor),
    incidents: keyed(snapshot.incidents, (row) => row.id),
    grants: keyed(snapshot.grants, (row) => row.id),
    tasks: keyed(snapshot.tasks, (row) => row.id),
    links: keyed(snapshot.links, (row) => row.name),
    feeds: keyed(snapshot.feeds, (row) => row.name),
    counters: { ...NOTHING, ...snapshot.counters },
  };
}

function keyed<Row>(rows: readonly Row[] | undefined, key: (row: Row) => string): Map<string, Row> {
  return new Map((rows ?? []).map((row) => [key(row), row]));
}

/** The state after a batch of changes; tables no change touches stay the same object, so that nothing redraws for them. */
export function evolve(state: LiveState, changes: readonly Change[]): LiveState {
  if (changes.length === 0) return state;
  const next = { ...state };
  const fresh = new Set<string>();
  for (const change of changes) {
    if (change.seq !== "") next.cursor = change.seq;
    if (change.kind === "camera") continue;
    if (change.kind === "counters") {
      next.counters = { ...NOTHING, ...next.counters, ...(change.row as Partial<Counters> | null) };
      continue;
    }
    const table = TABLES[change.kind];
    if (!table) continue;
    if (!fresh.has(table)) {
      (next as Record<string, unknown>)[table] = new Map(next[table] as ReadonlyMap<string, unknown>);
      fresh.add(table);
    }
    put(next[table] as Map<string, unknown>, change);
  }
  return next;
}

const TABLES: Partial<Record<ChangeKind, "incidents" | "grants" | "tasks" | "links" | "feeds">> = {
  incident: "incidents",
  grant: "grants",
  task: "tasks",
  link: "links",
  feed: "feeds",
};

function put(table: Map<string, unknown>, change: Change): void {
  if (change.op === "remove" || change.row === null || change.row === undefined) {
    table.delete(change.ref);
    return;
  }
  if (!isOlder(change.row, table.get(change.ref))) table.set(change.ref, change.row);
}

/** A row a command already answered with may overtake its own change event; the higher version stays. */
function isOlder(row: unknown, held: unknown): boolean {
  const version = versionOf(row);
  const known = versionOf(held);
  return version !== null && known !== null && version < known;
}

function versionOf(row: unknown): number | null {
  const version = (row as { version?: unknown } | undefined)?.version;
  return typeof version === "number" ? version : null;
}

/** Open emergencies that `after` has and `before` had not: what the alarm sounds and the live region speak for. */
export function newEmergencies(before: LiveState, after: LiveState): Incident[] {
  if (before.incidents === after.incidents) return [];
  return [...after.incidents.values()].filter(
    (row) => isEmergency(row) && row.state === "NEW" && !before.incidents.has(row.id),
  );
}

/** Priorities 0 and 1 are 긴급. */
export function isEmergency(incident: Pick<Incident, "priority">): boolean {
  return incident.priority <= 1;
}
