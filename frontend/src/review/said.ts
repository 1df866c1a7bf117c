/** How the words of a report read: codes as names where they are known, lengths of time, shares. Pure. */

import type { Language } from "../text/format";

/** Free text with `[P1]` turned back into names. */
export function withNames(text: string, names: Record<string, string>): string {
  return text.replace(/\[(P\d+)\]/g, (_whole, code: string) => names[code] ?? code);
}

export function nameOf(code: string, names: Record<string, string>): string {
  if (code.startsWith("system:")) return "플랫폼";
  return names[code] ?? (code || "–");
}

/** `12.4초`, `3분 20초`, `2시간 5분`; null stays null. */
export function lengthText(seconds: number | null, language: Language): string | null {
  if (seconds === null) return null;
  const ko = language === "ko";
  const sign = seconds < 0 ? "−" : "";
  const left = Math.abs(seconds);
  if (left < 60) return `${sign}${left.toFixed(1)}${ko ? "초" : " s"}`;
  const whole = Math.round(left);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  if (h > 0) return ko ? `${sign}${h}시간 ${m}분` : `${sign}${h} h ${m} min`;
  return ko ? `${sign}${m}분 ${s}초` : `${sign}${m} min ${s} s`;
}

export function shareText(share: number | null): string | null {
  return share === null ? null : `${(share * 100).toFixed(share > 0 && share < 0.1 ? 1 : 0)} %`;
}

export function figureText(value: number | null): string | null {
  return value === null ? null : value.toFixed(value < 10 ? 2 : 1);
}

/** What stands on the map at an instant. */
export interface Scene {
  line: number;
  events: boolean[];
  cameras: ("before" | "now" | "after")[];
}

interface Told {
  timeline: readonly { at: string }[];
  signals: { events: readonly { first_at: string }[] };
  cameras: readonly { id: string }[];
  views: readonly { camera_id: string; started_at: string; ended_at: string | null }[];
}

/** The last line said by then, the signals seen by then, and which cameras are, were or will be looked through. */
export function sceneAt(told: Told, at: number): Scene {
  const line = told.timeline.reduce((last, one, n) => (Date.parse(one.at) <= at ? n : last), -1);
  const events = told.signals.events.map((one) => Date.parse(one.first_at) <= at);
  const cameras = told.cameras.map((camera) => {
    const views = told.views.filter((view) => view.camera_id === camera.id && Date.parse(view.started_at) <= at);
    if (views.length === 0) return "before" as const;
    return views.some((view) => view.ended_at === null || Date.parse(view.ended_at) > at) ? ("now" as const) : ("after" as const);
  });
  return { line, events, cameras };
}
