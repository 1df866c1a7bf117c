/** Cells of a decision table in words, and back. Pure. */

import type { Between, Json, Named, TableLine, Texts } from "./types";
import { TABLE_FIELDS } from "./words";

export interface Told {
  classes: readonly Named[];
  sources: readonly Named[];
  weekdays: readonly Named[];
  tiers: readonly Named[];
}
type Language = "ko" | "en";
const MODES: readonly Named[] = [
  { code: "live", ko: "실제", en: "Live" },
  { code: "exercise", ko: "훈련", en: "Exercise" },
  { code: "simulated", ko: "모의", en: "Simulated" },
];

/** The choices of a field; none where anything may be written. */
export function choicesOf(field: string, told: Told): readonly Named[] {
  return { class: told.classes, source: told.sources, weekday: told.weekdays, mode: MODES }[field] ?? [];
}

export function isTexts(cell: Texts | Between | undefined): cell is Texts {
  return cell !== undefined && "values" in cell;
}

function named(code: string, field: string, told: Told, language: Language): string {
  const one = choicesOf(field, told).find((each) => each.code === code);
  return one ? one[language] || one.ko : code;
}

export function cellText(cell: Texts | Between | undefined, field: string, told: Told, language: Language): string {
  if (cell === undefined) return "–";
  if (isTexts(cell)) {
    const list = cell.values.map((one) => named(one, field, told, language)).join("·");
    return cell.negate ? (language === "ko" ? `${list} 아님` : `not ${list}`) : list;
  }
  const [low, high] = [cell.low ?? null, cell.high ?? null];
  if (low === null && high === null) return "–";
  if (low === high) return `${low}`;
  return `${low ?? ""}–${high ?? ""}`;
}

export function answerText(row: TableLine, told: Told, language: Language): string {
  const { priority, propose, agency, tiers } = row.then;
  const said: string[] = [];
  if (priority !== undefined) said.push(`P${priority}`);
  if (propose !== undefined) said.push({ ko: { yes: "제안함", no: "제안 안 함" }, en: { yes: "propose", no: "do not propose" } }[language][propose]);
  if (agency) said.push(agency);
  if (tiers) said.push(tiers.map((code) => told.tiers.find((one) => one.code === code)?.[language] ?? code).join("·"));
  return said.join(" · ") || "–";
}

/** A case no row answers, or that two do. */
export function exampleText(example: Record<string, Json>, told: Told, language: Language): string {
  return Object.entries(example)
    .map(([field, value]) => {
      const label = TABLE_FIELDS[field]?.[language] ?? field;
      return `${label}: ${value === "(other)" ? { ko: "그 밖", en: "any other" }[language] : named(String(value), field, told, language)}`;
    })
    .join(", ");
}

/** A number typed into a cell; nothing where it is empty. */
export function withBound(cell: Between | undefined, end: "low" | "high", text: string): Between | undefined {
  const next: Between = { ...cell };
  if (text.trim() === "") delete next[end];
  else next[end] = Math.trunc(Number(text));
  return next.low === undefined && next.high === undefined ? undefined : next;
}

export function withCell(row: TableLine, field: string, cell: Texts | Between | undefined): TableLine {
  const when = { ...row.when };
  if (cell === undefined || (isTexts(cell) && cell.values.length === 0)) delete when[field];
  else when[field] = cell;
  return { ...row, when };
}

/** A name no other row has. */
export function freshName(rows: readonly TableLine[]): string {
  for (let n = rows.length + 1; ; n += 1) if (!rows.some((row) => row.name === String(n))) return String(n);
}
