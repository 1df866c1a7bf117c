/** Which actions an incident allows in its state, as the screen offers them; the server decides. Pure. */

import type { IncidentAction } from "../api/client";
import type { Incident, IncidentState } from "../api/types";

export interface Move {
  action: IncidentAction;
  reason: "none" | "optional" | "required";
}

const CLAIM: Move = { action: "claim", reason: "none" };
const NOTE: Move = { action: "note", reason: "required" };
const DISMISS: Move = { action: "dismiss", reason: "required" };
const CLOSE: Move = { action: "close", reason: "optional" };
const REOPEN: Move = { action: "reopen", reason: "required" };
const move = (action: IncidentAction): Move => ({ action, reason: "none" });

const BY_STATE: Record<IncidentState, Move[]> = {
  NEW: [CLAIM, move("verify"), move("activate"), DISMISS, CLOSE, NOTE],
  VERIFYING: [CLAIM, move("activate"), DISMISS, CLOSE, NOTE],
  ACTIVE: [CLAIM, move("stabilise"), CLOSE, NOTE],
  STABILISED: [CLAIM, move("activate"), CLOSE, NOTE],
  CLOSED: [REOPEN, NOTE],
  REVIEWED: [],
  DISMISSED: [REOPEN],
  MERGED: [],
  CANCELLED: [REOPEN],
};

/** The offered moves; claiming what one already holds is left out. */
export function movesFor(incident: Pick<Incident, "state" | "owner">, me: string): Move[] {
  return (BY_STATE[incident.state] ?? []).filter((known) => known.action !== "claim" || incident.owner?.id !== me);
}

/** The step that usually comes next, drawn as the main button. */
export function mainMove(incident: Pick<Incident, "state" | "owner">): IncidentAction | null {
  if (incident.state === "NEW") return incident.owner === null ? "claim" : "verify";
  const next: Partial<Record<IncidentState, IncidentAction>> = {
    VERIFYING: "activate",
    ACTIVE: "stabilise",
    STABILISED: "close",
  };
  return next[incident.state] ?? null;
}
