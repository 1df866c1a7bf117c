/** How loaded operators are, against EEMUA-191: ten new items an operator in ten minutes are the most. Pure. */

import type { Load } from "./types";

export type LoadLevel = "calm" | "busy" | "flood";

/** Above half of what is allowed it is busy; from all of it on it is a flood, as with a storm that hides items. */
export function levelOf(load: Pick<Load, "new_items" | "allowed" | "new_urgent">): LoadLevel {
  const all = load.new_items + load.new_urgent;
  if (all >= load.allowed) return "flood";
  return all * 2 > load.allowed ? "busy" : "calm";
}

/** New items an operator, urgent ones too, to one digit. */
export function perOperator(load: Pick<Load, "new_items" | "new_urgent" | "operators">): number {
  return Math.round(((load.new_items + load.new_urgent) / Math.max(1, load.operators)) * 10) / 10;
}

/** What one operator may be given in the window. */
export function allowedEach(load: Pick<Load, "allowed" | "operators">): number {
  return Math.round(load.allowed / Math.max(1, load.operators));
}
