/** Values, names and units as people read them. Pure. */

import { clockText, dayText } from "../text/format";

/** UN/CEFACT common codes (Recommendation 20) that city data uses, as signs; others are shown as they came. */
const SIGNS: Record<string, string> = {
  "2N": "dB",
  "59": "ppm",
  "61": "ppb",
  A97: "hPa",
  ANN: "년",
  AMP: "A",
  C26: "ms",
  C62: "",
  CEL: "°C",
  CMT: "cm",
  D54: "W/m²",
  DAY: "일",
  DD: "°",
  E34: "GB",
  FAR: "F",
  GM: "g",
  GP: "mg/m³",
  GQ: "µg/m³",
  HTZ: "Hz",
  HUR: "시간",
  KEL: "K",
  KGM: "kg",
  KMH: "km/h",
  KMT: "km",
  KWH: "kWh",
  KWT: "kW",
  LTR: "L",
  LUX: "lx",
  MIN: "분",
  MMT: "mm",
  MQH: "m³/h",
  MTK: "m²",
  MTQ: "m³",
  MTR: "m",
  MTS: "m/s",
  P1: "%",
  SEC: "초",
  VLT: "V",
  WTT: "W",
};

export function unitSign(code: string | null | undefined): string {
  if (!code) return "";
  return SIGNS[code] ?? code;
}

const NUMBER = new Intl.NumberFormat("ko-KR", { maximumFractionDigits: 6, maximumSignificantDigits: 9 });
const WHOLE = new Intl.NumberFormat("ko-KR", { maximumFractionDigits: 0 });

export function numberText(value: number): string {
  return Number.isFinite(value) ? NUMBER.format(value) : String(value);
}

export function countText(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : WHOLE.format(value);
}

/** As few digits as tell the values of one chart apart. */
export function roundedTo(span: number): (value: number) => string {
  const digits = span > 0 ? Math.min(6, Math.max(0, 2 - Math.floor(Math.log10(span)))) : 2;
  const shape = new Intl.NumberFormat("ko-KR", { maximumFractionDigits: digits });
  return (value) => shape.format(value);
}

/** `812 kB`, `1.4 GB`. */
export function bytesText(bytes: number): string {
  const steps = ["B", "kB", "MB", "GB", "TB"];
  let [value, step] = [bytes, 0];
  while (value >= 1000 && step < steps.length - 1) [value, step] = [value / 1000, step + 1];
  return `${value < 10 && step > 0 ? value.toFixed(1) : Math.round(value)} ${steps[step]}`;
}

/** The last part of a full address; the whole is kept in the tool tip. */
export function shortName(name: string): string {
  if (!name.includes(":")) return name;
  const last = name.split(/[/#]/).filter(Boolean).pop() ?? name;
  return last.includes(":") ? (last.split(":").pop() ?? last) : last;
}

/** `urn:ngsi-ld:Type:x` without what every id begins with. */
export function shortId(id: string): string {
  return id.replace(/^urn:ngsi-ld:/, "");
}

export type Shown =
  | { as: "number"; text: string }
  | { as: "text"; text: string }
  | { as: "boolean"; yes: boolean }
  | { as: "links"; ids: string[] }
  | { as: "words"; words: string[] }
  | { as: "languages"; texts: [string, string][] }
  | { as: "place"; text: string }
  | { as: "json"; text: string }
  | { as: "none" };

/** How a value of a kind is shown. */
export function shownAs(kind: string | null, value: unknown): Shown {
  if (value === null || value === undefined || value === "") return { as: "none" };
  switch (kind) {
    case "Relationship":
      return { as: "links", ids: texts(value) };
    case "ListRelationship":
      return { as: "links", ids: list(value).flatMap((one) => texts(member(one, "object") ?? one)) };
    case "VocabProperty":
      return { as: "words", words: texts(value).map(shortName) };
    case "LanguageProperty":
      return { as: "languages", texts: Object.entries(value as object).map(([lang, text]) => [lang, texts(text).join(", ")]) };
    case "GeoProperty":
      return { as: "place", text: placeText(value) };
    case "JsonProperty":
      return { as: "json", text: json(value) };
    case "ListProperty":
      return plainList(value) ? { as: "words", words: list(value).map(String) } : { as: "json", text: json(value) };
    default:
      return plain(value);
  }
}

function plain(value: unknown): Shown {
  if (typeof value === "number") return { as: "number", text: numberText(value) };
  if (typeof value === "boolean") return { as: "boolean", yes: value };
  if (typeof value === "string") return { as: "text", text: value };
  const typed = member(value, "@value");
  if (typeof typed === "string") return { as: "text", text: member(value, "@type") === "DateTime" ? instantText(typed) : typed };
  if (plainList(value)) return { as: "words", words: list(value).map(String) };
  return { as: "json", text: json(value) };
}

/** `2026-11-22 14:03:09`, Asia/Seoul. */
export function instantText(at: string | number): string {
  const when = typeof at === "number" ? at : Date.parse(at);
  return Number.isNaN(when) ? String(at) : `${dayText(when)} ${clockText(when)}`;
}

/** One line of any value, for lists. */
export function lineOf(kind: string | null, value: unknown): string {
  const shown = shownAs(kind, value);
  switch (shown.as) {
    case "none":
      return "–";
    case "boolean":
      return shown.yes ? "예" : "아니오";
    case "links":
      return shown.ids.map(shortId).join(", ");
    case "words":
      return shown.words.join(", ");
    case "languages":
      return shown.texts[0]?.[1] ?? "–";
    default:
      return shown.text;
  }
}

function placeText(value: unknown): string {
  const type = String(member(value, "type") ?? "");
  const coordinates = member(value, "coordinates");
  if (type === "Point" && Array.isArray(coordinates)) return coordinates.map((one) => Number(one).toFixed(5)).join(", ");
  return type;
}

function texts(value: unknown): string[] {
  return list(value).map(String);
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [value];
}

function plainList(value: unknown): boolean {
  return Array.isArray(value) && value.every((one) => ["string", "number", "boolean"].includes(typeof one));
}

function member(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;
}

function json(value: unknown): string {
  return JSON.stringify(value, null, 2);
}
