/** Calls about duty; each raises `Refusal`. */

import { call, query } from "../api/client";
import type { Task } from "../api/types";
import type { Board, Draft, Handover, LogEntry, Said } from "./types";

const id = encodeURIComponent;

export const dutyCalls = {
  stillHere: () => call<{ written: boolean; lost: number }>("POST", "/presence"),
  board: () => call<Board>("GET", "/duty"),
  beginShift: () => call<unknown>("POST", "/shift/begin"),
  draft: () => call<Draft>("GET", "/handovers/draft"),
  offer: (to: string, brief: string, incident_ids: string[]) =>
    call<Handover>("POST", "/handovers", { to, brief, incident_ids }),
  accept: (handover: string, incident_ids: string[] | null) =>
    call<Handover>("POST", `/handovers/${id(handover)}/accept`, { incident_ids }),
  decline: (handover: string, reason: string, incident_ids: string[] | null) =>
    call<Handover>("POST", `/handovers/${id(handover)}/decline`, { reason, incident_ids }),
  withdraw: (handover: string) => call<Handover>("POST", `/handovers/${id(handover)}/withdraw`),
  log: (incident: string | null) =>
    call<{ entries: LogEntry[] }>("GET", incident === null ? "/log" : `/log?${query({ incident_id: incident })}`),
  say: (said: Said) => call<LogEntry>("POST", "/log", said),
  correct: (entry: string, text: string) => call<LogEntry>("POST", `/log/${id(entry)}/correct`, { text }),
  addTask: (incident_id: string, text: string, due_min: number, to: string) =>
    call<Task>("POST", "/tasks", { incident_id, text, due_min, to }),
  onTask: (task: string, deed: "take" | "assign" | "complete" | "snooze", body: Record<string, unknown>) =>
    call<Task>("POST", `/tasks/${id(task)}/${deed}`, body),
};
