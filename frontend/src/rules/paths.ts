/** Members of a rule's JSON by pointer (RFC 6901), and which form stands for each. Pure. */

import type { Field, Form, Json, JsonObject, Vocabulary } from "./types";

export function steps(path: string): string[] {
  return path.split("/").slice(1).map((one) => one.replaceAll("~1", "/").replaceAll("~0", "~"));
}

export function getIn(whole: Json | undefined, path: string): Json | undefined {
  let found: Json | undefined = whole;
  for (const step of steps(path)) {
    if (Array.isArray(found)) found = found[Number(step)];
    else if (typeof found === "object" && found !== null) found = found[step];
    else return undefined;
  }
  return found;
}

/** A copy in which the member is `value`; undefined leaves it out (from a list: removes it). */
export function setIn<T extends Json>(whole: T, path: string, value: Json | undefined): T {
  const [first, ...rest] = steps(path);
  if (first === undefined) return (value ?? null) as T;
  const below = rest.length === 0 ? "" : `/${rest.map((one) => one.replaceAll("~", "~0").replaceAll("/", "~1")).join("/")}`;
  if (Array.isArray(whole)) {
    const copy: Json[] = [...whole];
    if (below === "" && value === undefined) copy.splice(Number(first), 1);
    else copy[Number(first)] = below === "" ? (value ?? null) : setIn(copy[Number(first)] ?? {}, below, value);
    return copy as T;
  }
  const copy: JsonObject = { ...(whole as JsonObject) };
  if (below === "" && value === undefined) delete copy[first];
  else copy[first] = below === "" ? (value ?? null) : setIn(copy[first] ?? {}, below, value);
  return copy as T;
}

/** `definition.when.window_s`, `effects[0].code` → `/when/window_s`, `/effects/0/code`. */
export function pointerOf(where: string): string {
  const flat = where.replace(/^definition\.?/, "").replaceAll("[...]", ".*").replace(/\[(\d+)\]/g, ".$1");
  const parts = flat.split(".").filter((one) => one !== "");
  return parts.length === 0 ? "" : `/${parts.join("/")}`;
}

/** The member a finding names; of "any in this list" the list. */
export function namedBy(where: string): string {
  return pointerOf(where).replace(/\/\*.*$/, "");
}

/** Whether what was said about `where` is to be shown at `path`: there itself, or (a list of any) at its list. */
export function saidAt(where: string, path: string): boolean {
  return namedBy(where) === path;
}

const TAGS = ["op", "on", "do", "from"] as const;

export function formOf(forms: readonly Form[], value: Json | undefined): Form | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return forms.find((form) => TAGS.some((tag) => form[tag] !== undefined && form[tag] === value[tag]));
}

export const MAKING: readonly Field[] = [
  { name: "class_code", ko: "종류", en: "Class", kind: "class", required: true },
  { name: "priority", ko: "우선순위", en: "Priority", kind: "integer", required: false, default: null, min: 0, max: 4 },
  { name: "text_ko", ko: "문구", en: "Text (Korean)", kind: "text", required: false, default: "" },
  { name: "text_en", ko: "영문 문구", en: "Text (English)", kind: "text", required: false, default: "" },
];
export const PER: Field = { name: "per", ko: "묶는 단위", en: "Counted", kind: "per", required: false, default: "device" };

/** What a person changes behind a part of the sentence: one field, or the fields of one form. */
export function fieldsAt(words: Vocabulary, rule: JsonObject, path: string): { at: string; fields: readonly Field[] } | null {
  if (path === "/per") return { at: "", fields: [PER] };
  if (path === "/signal") return getIn(rule, path) ? { at: path, fields: MAKING } : null;
  const all = [...words.operators, ...words.conditions, ...words.effects, ...words.sources];
  const whole = formOf(all, getIn(rule, path));
  if (whole) return { at: path, fields: whole.fields };
  const parent = path.slice(0, path.lastIndexOf("/"));
  const name = steps(path).at(-1);
  const form = formOf(all, getIn(rule, parent));
  const field = form?.fields.find((one) => one.name === name);
  return field ? { at: parent, fields: [field] } : null;
}

/** A new value for a field that must have one. `city` is where a new area begins. */
export function seedOf(field: Field, words: Vocabulary, city: { lon: number; lat: number }): Json {
  switch (field.kind) {
    case "source": {
      const kind = field.options?.includes("signal") ? "signal" : "reading";
      return seedForm(words.sources.find((one) => one.from === kind) ?? { ko: "", en: "", fields: [] }, words, city);
    }
    case "area": return { shape: "circle", lon: round(city.lon), lat: round(city.lat), radius_m: 300 };
    case "classes": return [words.classes[0]?.code ?? ""];
    case "class": return words.classes[0]?.code ?? "";
    case "sources": return ["sensor"];
    case "weekdays": return ["mon", "tue", "wed", "thu", "fri"];
    case "tiers": return ["department"];
    case "districts": return words.districts[0] ? [words.districts[0].name_ko] : [""];
    case "texts": case "cameras": case "scalars": return [""];
    case "entity_type": return words.entity_types?.[0]?.type ?? "WaterLevel";
    case "attribute": return words.entity_types?.[0]?.attributes[0] ?? "level";
    case "sop": return words.sops[0]?.code ?? "";
    case "clock": return "09:00";
    case "choice": return field.options?.[0] ?? "";
    case "boolean": return false;
    case "integer": case "number": return seedNumber(field);
    default: return "";
  }
}

function seedNumber(field: Field): number {
  const usual: Record<string, number> = { window_s: 600, within_s: 120, for_s: 1_800, radius_m: 100, n: 3, k: 3, changes: 5, by: 1, at_least: 0.8, at_most: 1 };
  return usual[field.name] ?? field.min ?? 0;
}

function round(degrees: number): number {
  return Math.round(degrees * 1e5) / 1e5;
}

/** A new part of a rule, with what it must have. */
export function seedForm(form: Form, words: Vocabulary, city: { lon: number; lat: number }): JsonObject {
  const made: JsonObject = {};
  for (const tag of TAGS) if (form[tag] !== undefined) made[tag] = form[tag];
  for (const field of form.fields) if (field.required) made[field.name] = seedOf(field, words, city);
  return made;
}

/** Another operator over what was listened to before, as far as it can. */
export function changeOperator(form: Form, before: JsonObject, words: Vocabulary, city: { lon: number; lat: number }): JsonObject {
  const made = seedForm(form, words, city);
  const heard = before["source"] ?? before["first"];
  for (const field of form.fields) {
    const old = field.kind === "source" && field.required ? heard : before[field.name];
    if (old === undefined) continue;
    if (field.kind === "source") {
      if (typeof old === "object" && old !== null && !Array.isArray(old) && field.options?.includes(String(old["from"]))) made[field.name] = old;
    } else if (field.required || before[field.name] !== undefined) made[field.name] = old;
  }
  return made;
}
