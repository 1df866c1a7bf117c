/** Times, ages and lengths as operators read them. Pure; the clock is passed in. */

export type Language = "ko" | "en";

const CLOCK = new Intl.DateTimeFormat("ko-KR", {
  timeZone: "Asia/Seoul",
  hourCycle: "h23",
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const DAY = new Intl.DateTimeFormat("en-CA", { timeZone: "Asia/Seoul", year: "numeric", month: "2-digit", day: "2-digit" });
const WEEKDAY = new Intl.DateTimeFormat("ko-KR", { timeZone: "Asia/Seoul", weekday: "short" });

/** `14:03:09`, Asia/Seoul. */
export function clockText(at: string | number | Date): string {
  return CLOCK.format(new Date(at));
}

/** `2026-11-22`, Asia/Seoul. */
export function dayText(at: string | number | Date): string {
  return DAY.format(new Date(at));
}

export function weekdayText(at: string | number | Date): string {
  return WEEKDAY.format(new Date(at));
}

/** Today only the time, else with the day. */
export function whenText(at: string, nowMs: number): string {
  return dayText(at) === dayText(nowMs) ? clockText(at) : `${dayText(at).slice(5)} ${clockText(at).slice(0, 5)}`;
}

/** Seconds between, never negative (clocks differ a little). */
export function ageS(at: string | null | undefined, nowMs: number): number | null {
  if (!at) return null;
  const then = Date.parse(at);
  return Number.isNaN(then) ? null : Math.max(0, (nowMs - then) / 1000);
}

/** `방금`, `42초`, `7분`, `3시간`, `2일`; null is `없음`. */
export function ageText(seconds: number | null, language: Language): string {
  if (seconds === null) return language === "ko" ? "없음" : "none";
  const [value, ko, en] = span(seconds);
  if (value === 0) return language === "ko" ? "방금" : "now";
  return language === "ko" ? `${value}${ko}` : `${value} ${en}`;
}

function span(seconds: number): [number, string, string] {
  if (seconds < 1) return [0, "", ""];
  if (seconds < 60) return [Math.floor(seconds), "초", "s"];
  if (seconds < 3600) return [Math.floor(seconds / 60), "분", "min"];
  if (seconds < 86_400) return [Math.floor(seconds / 3600), "시간", "h"];
  return [Math.floor(seconds / 86_400), "일", "d"];
}

/** What is left until an instant: `1:02:09`, `04:59`; null when it has passed or is unknown. */
export function remainingText(until: string | null | undefined, nowMs: number): string | null {
  if (!until) return null;
  const left = Math.floor((Date.parse(until) - nowMs) / 1000);
  if (!(left > 0)) return null;
  const two = (n: number): string => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(left / 3600), Math.floor((left % 3600) / 60), left % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${two(m)}:${two(s)}`;
}

/** `35 m`, `1.2 km`. */
export function lengthText(metres: number | null | undefined): string {
  if (metres === null || metres === undefined || !Number.isFinite(metres)) return "–";
  return metres < 1000 ? `${Math.round(metres)} m` : `${(metres / 1000).toFixed(1)} km`;
}

/** An address without its province and city, which on one city's screen only push the rest out of sight. */
export function withoutCity(address: string): string {
  const rest = address.replace(/^(\S+(?:특별자치도|도|특별시|광역시|특별자치시)\s+)?(\S+[시군]\s+)?/, "").trim();
  return rest || address;
}

const COMPASS_KO = ["북", "북동", "동", "남동", "남", "남서", "서", "북서"];
const COMPASS_EN = ["N", "NE", "E", "SE", "S", "SW", "W", "NW"];

export function bearingText(degrees: number, language: Language): string {
  const index = Math.round((((degrees % 360) + 360) % 360) / 45) % 8;
  return (language === "ko" ? COMPASS_KO : COMPASS_EN)[index] ?? "";
}
