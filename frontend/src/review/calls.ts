/** Calls to `/api/console/reviews`. */

import { call, query } from "../api/client";
import type { AlarmLoad, Answer, Choices, Lesson, Listing, One } from "./types";

const BASE = "/reviews";
const id = encodeURIComponent;

export const reviews = {
  list: (phase: string, q: string, offset: number) => call<Listing>("GET", `${BASE}?${query({ phase, q, offset })}`),
  one: (incident: string) => call<One>("GET", `${BASE}/${id(incident)}`),
  choices: () => call<Choices>("GET", `${BASE}/choices`),
  lessons: (ended: boolean) => call<{ rows: Lesson[] }>("GET", `${BASE}/lessons?${query({ ended: String(ended) })}`),
  load: (from: string, to: string, by: string) => call<AlarmLoad>("GET", `${BASE}/alarm-load?${query({ from, to, by })}`),
  open: (incident: string) => call<One>("POST", `${BASE}/${id(incident)}/open`, {}),
  answer: (incident: string, key: string, answer: Answer, note: string) => call<One>("POST", `${BASE}/${id(incident)}/checklist`, { key, answer, note }),
  find: (incident: string, kind: string, text: string) => call<One>("POST", `${BASE}/${id(incident)}/findings`, { kind, text }),
  dropFinding: (incident: string, finding: string) => call<One>("POST", `${BASE}/${id(incident)}/findings/${id(finding)}/drop`, {}),
  learn: (incident: string, body: Record<string, string>) => call<One>("POST", `${BASE}/${id(incident)}/lessons`, body),
  sign: (incident: string, summary: string, version: number) => call<One>("POST", `${BASE}/${id(incident)}/sign`, { summary, version }),
  append: (incident: string, text: string) => call<One>("POST", `${BASE}/${id(incident)}/addenda`, { text }),
  moveLesson: (lesson: string, step: string, text: string) => call<Lesson>("POST", `${BASE}/lessons/${id(lesson)}/${id(step)}`, { text }),
  draftRule: (lesson: string, name: string, example: string) => call<Lesson>("POST", `${BASE}/lessons/${id(lesson)}/rule`, { name, example }),
  draftSop: (lesson: string, code: string) => call<Lesson>("POST", `${BASE}/lessons/${id(lesson)}/sop`, { code }),
  pdf: (incident: string) => `/api/console${BASE}/${id(incident)}/report.pdf`,
  json: (incident: string, number: number) => `/api/console${BASE}/${id(incident)}/report.json?${query({ number })}`,
  csv: (from: string, to: string, by: string) => `/api/console${BASE}/alarm-load.csv?${query({ from, to, by })}`,
};
