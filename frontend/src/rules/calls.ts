/** Calls about rules; each raises `Refusal`. */

import { call } from "../api/client";
import type { Deed, Detail, Firing, HistoryStep, JsonObject, Policy, Preview, Rule, RuleRow, Step, Table, TableFinding, TableKind, TableLine, TableOf, Vocabulary } from "./types";

const id = encodeURIComponent;
const at = (version: string): string => `/rules/versions/${id(version)}`;

export interface Words {
  reason?: string;
  revision?: number;
  accept_auto?: boolean;
  days?: number;
}

export const rules = {
  vocabulary: () => call<Vocabulary>("GET", "/rules/vocabulary"),
  list: () => call<{ rules: RuleRow[] }>("GET", "/rules"),
  named: (name: string) => call<Rule>("GET", `/rules/named/${id(name)}`),
  version: (version: string) => call<Detail>("GET", at(version)),
  preview: (definition: JsonObject) => call<Preview>("POST", "/rules/preview", { definition }),
  draft: (name: string, definition: JsonObject, note: string) => call<Detail>("POST", "/rules", { name, definition, note }),
  edit: (version: string, definition: JsonObject, note: string, revision: number) =>
    call<Detail>("PUT", at(version), { definition, note, revision }),
  step: (version: string, step: Step, words: Words = {}) => call<Detail>("POST", `${at(version)}/${step}`, words),
  stopReplay: (version: string) => call<Detail>("POST", `${at(version)}/replay/stop`),
  firings: (version: string, limit = 30) => call<{ firings: Firing[] }>("GET", `${at(version)}/firings?limit=${limit}`),
  history: (version: string) => call<{ steps: HistoryStep[] }>("GET", `${at(version)}/history`),
  deeds: (incident: string) => call<{ deeds: Deed[] }>("GET", `/incidents/${id(incident)}/deeds`),
  answer: (deed: string, verdict: "confirm" | "decline", reason: string) => call<Deed>("POST", `/rules/deeds/${id(deed)}/${verdict}`, { reason }),
  tables: () => call<{ tables: TableOf[] }>("GET", "/rules/tables"),
  checkTable: (kind: TableKind, policy: Policy, rows: TableLine[], note: string) =>
    call<{ findings: TableFinding[] }>("POST", "/rules/tables/check", { kind, policy, rows, note }),
  draftTable: (kind: TableKind, policy: Policy, rows: TableLine[], note: string) => call<Table>("POST", "/rules/tables", { kind, policy, rows, note }),
  publishTable: (table: string) => call<Table>("POST", `/rules/tables/${id(table)}/publish`),
};
