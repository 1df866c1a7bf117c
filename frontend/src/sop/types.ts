/** Checklists as `/api/console/sops` serves them. */

import type { Instant } from "../api/types";

export type Standing = "waiting" | "open" | "done" | "skipped" | "off";
export type Evidence = "none" | "note" | "still" | "choice";
export type RunPhase = "running" | "done" | "stopped" | "ended";

export interface SopStep {
  key: string;
  stage: number;
  ko: string;
  en: string;
  standing: Standing;
  done_by_role: "anybody" | "operator" | "supervisor";
  /** Whether the person at the screen may tick it. */
  mine: boolean;
  evidence: Evidence;
  options: string[];
  due_at: Instant | null;
  overdue: boolean;
  done_at: Instant | null;
  done_by: string;
  value: string;
  note: string;
  still: string;
}

export interface SopRun {
  id: string;
  incident_id: string;
  code: string;
  version: number;
  title_ko: string;
  title_en: string;
  example: boolean;
  phase: RunPhase;
  started_at: Instant;
  started_by: string;
  rule: string;
  ended_at: Instant | null;
  end_reason: string;
  left: number;
  steps: SopStep[];
}

export interface Startable {
  code: string;
  version: number;
  title_ko: string;
  title_en: string;
  steps: number;
  example: boolean;
}

export interface Checklists {
  runs: SopRun[];
  startable: Startable[];
}

export interface StepEntry {
  value?: string;
  note?: string;
  still?: string;
  reason?: string;
}
