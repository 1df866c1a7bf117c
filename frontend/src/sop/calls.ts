/** Calls about checklists; each raises `Refusal`. */

import { call } from "../api/client";
import type { Checklists, SopRun, StepEntry } from "./types";

const id = encodeURIComponent;

export const sops = {
  of: (incident: string) => call<Checklists>("GET", `/sops/incidents/${id(incident)}`),
  start: (incident: string, code: string) => call<SopRun>("POST", `/sops/incidents/${id(incident)}`, { code }),
  step: (run: string, key: string, deed: "tick" | "skip" | "undo", entry: StepEntry) =>
    call<SopRun>("POST", `/sops/runs/${id(run)}/steps/${id(key)}/${deed}`, entry),
  stop: (run: string, reason: string) => call<SopRun>("POST", `/sops/runs/${id(run)}/stop`, { reason }),
};
