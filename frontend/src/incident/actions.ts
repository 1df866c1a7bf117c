/** Actions on the chosen incident and its grants, asking for a reason where one is due. */

import type { IncidentAction } from "../api/client";
import type { Grant } from "../api/types";
import { desk } from "../state/desk.svelte";
import { settings } from "../state/settings.svelte";
import { TEXTS, textOf, type Text } from "../text/texts";
import { movesFor } from "./moves";

const ACTION_TEXTS: Record<IncidentAction, Text> = {
  claim: TEXTS.claim,
  verify: TEXTS.verify,
  activate: TEXTS.activate,
  stabilise: TEXTS.stabilise,
  dismiss: TEXTS.dismiss,
  close: TEXTS.close_incident,
  reopen: TEXTS.reopen,
  note: TEXTS.note,
  locate: TEXTS.relocate,
};

export function actionText(action: IncidentAction): Text {
  return ACTION_TEXTS[action];
}

/** Do `action` on the chosen incident if its state allows it, asking for the reason first where one is needed. */
export function askReason(action: IncidentAction): void {
  const incident = desk.selected;
  if (incident === null || !desk.can("work_incident")) return;
  const move = movesFor(incident, desk.myId).find((known) => known.action === action);
  if (move === undefined) return;
  if (move.reason === "none") {
    void desk.act(incident, action, action === "claim" && incident.owner !== null ? { take_over: true } : {});
    return;
  }
  desk.dialog = {
    kind: "reason",
    title: actionText(action),
    subject: `${incident.number} · ${settings.say({ ko: incident.class_ko, en: incident.class_en })}`,
    required: move.reason === "required",
    confirm: action === "note" ? TEXTS.save : actionText(action),
    danger: action === "close" || action === "dismiss",
    field: action === "note" ? TEXTS.note_text : TEXTS.reason,
    run: async (text) => {
      if (await desk.act(incident, action, action === "note" ? { text } : { reason: text })) desk.dialog = null;
    },
  };
}

export type GrantVerdict = "approve" | "deny" | "revoke" | "extend";

export function askDecision(grant: Grant, verdict: GrantVerdict): void {
  const text: Record<GrantVerdict, Text> = {
    approve: TEXTS.approve,
    deny: TEXTS.deny,
    revoke: TEXTS.revoke,
    extend: TEXTS.extend,
  };
  desk.dialog = {
    kind: "reason",
    title: { ko: `${TEXTS.grants.ko} ${text[verdict].ko}`, en: `${text[verdict].en} video grant` },
    subject: `${grant.incident_number ?? ""} · ${grant.recipient.name_ko} · ${settings.say(TEXTS.cameras)} ${grant.camera_ids.length}`,
    required: true,
    confirm: text[verdict],
    danger: verdict === "deny" || verdict === "revoke",
    field: TEXTS.reason,
    run: async (reason) => {
      if (await desk.decide(grant, verdict, reason)) desk.dialog = null;
    },
  };
}

/** Open the decision on the chosen incident's oldest waiting grant. */
export function approveFirst(): void {
  const incident = desk.selected;
  if (incident === null || !desk.can("approve_grant")) return;
  const waiting = desk.grantsOf(incident.id).filter(isWaiting).at(-1);
  if (waiting) askDecision(waiting, "approve");
}

export function isWaiting(grant: Grant): boolean {
  return ["PENDING_HUMAN", "REQUESTED"].includes(grant.state.toUpperCase());
}

export function isRunning(grant: Grant): boolean {
  return ["APPROVED", "ACTIVE"].includes(grant.state.toUpperCase());
}

export function grantStateText(grant: Grant): Text {
  return textOf(`grant_${grant.state.toLowerCase()}`);
}
