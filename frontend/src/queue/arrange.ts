/**
 * Where rows of the queue stand, so that none moves under an operator's hand. Pure.
 *
 * While the hand is on the list its order is held: what is there stays in its place, also when it has just ended;
 * what comes is put at the end of its part. Urgent rows always stand in the upper part, held or not.
 */

import type { Incident } from "../api/types";
import { isUrgentRow } from "./order";

export interface Arranged {
  urgent: readonly string[];
  rest: readonly string[];
}

export const NOTHING_SHOWN: Arranged = { urgent: [], rest: [] };

export function arrange(
  before: Arranged,
  wanted: readonly Incident[],
  all: ReadonlyMap<string, Incident>,
  held: boolean,
): Arranged {
  const urgent = wanted.filter(isUrgentRow).map((row) => row.id);
  const rest = wanted.filter((row) => !isUrgentRow(row)).map((row) => row.id);
  if (!held) return { urgent, rest };
  return { urgent: keep(before.urgent, urgent, rest, all), rest: keep(before.rest, rest, urgent, all) };
}

/** Those that stood there and still exist, less those that now belong to the other part; then the new ones. */
function keep(before: readonly string[], now: readonly string[], other: readonly string[], all: ReadonlyMap<string, Incident>): string[] {
  const elsewhere = new Set(other);
  const kept = before.filter((id) => all.has(id) && !elsewhere.has(id));
  const known = new Set(kept);
  return [...kept, ...now.filter((id) => !known.has(id))];
}

export interface Facet {
  code: string;
  ko: string;
  en: string;
  count: number;
}

/** The classes that fill the queue, the most frequent first. */
export function topClasses(rows: Iterable<Incident>, most: number): Facet[] {
  const found = new Map<string, Facet>();
  for (const row of rows) {
    const known = found.get(row.class_code);
    if (known) known.count += 1;
    else found.set(row.class_code, { code: row.class_code, ko: row.class_ko, en: row.class_en, count: 1 });
  }
  return [...found.values()].sort((a, b) => b.count - a.count || a.code.localeCompare(b.code)).slice(0, most);
}
