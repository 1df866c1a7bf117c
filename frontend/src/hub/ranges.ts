/** The ranges a history is looked at in, and where its gaps are. Pure. */

import type { Series } from "./types";

export type RangeName = "hour" | "day" | "week" | "month";

const HOUR = 3_600_000;
export const RANGES: Record<RangeName, number> = { hour: HOUR, day: 24 * HOUR, week: 7 * 24 * HOUR, month: 30 * 24 * HOUR };
export const RANGE_NAMES = Object.keys(RANGES) as RangeName[];

export function rangeOf(said: string): RangeName {
  return said in RANGES ? (said as RangeName) : "day";
}

/** The two ends; `until` empty or unreadable means now. Rounded, so that looking again asks for the same. */
export function endsOf(range: RangeName, until: string, nowMs: number): { from: number; to: number; live: boolean } {
  const said = Date.parse(until);
  const live = Number.isNaN(said) || said >= nowMs;
  const step = range === "hour" ? 5_000 : 60_000;
  const to = live ? Math.ceil(nowMs / step) * step : said;
  return { from: to - RANGES[range], to, live };
}

/** Where the range ends one step earlier or later; null when that is now. */
export function stepped(range: RangeName, to: number, steps: 1 | -1, nowMs: number): string | null {
  const next = to + steps * RANGES[range];
  return next >= nowMs ? null : new Date(next).toISOString();
}

export interface Row {
  at: number;
  avg: number;
  min: number;
  max: number;
  count: number;
}

const AROUND = 4;

/** Before which readings there was silence: far more than the pace around them, and more than a bucket's width. */
export function gapsBefore(at: readonly number[], bucketS: number): boolean[] {
  const steps = at.map((one, index) => one - (at[index - 1] ?? one));
  return steps.map((step, index) => {
    const near = steps.slice(Math.max(1, index - AROUND), index + AROUND + 1).sort((a, b) => a - b);
    const usual = near[Math.floor((near.length - 1) / 2)] ?? 0;
    return index > 0 && step > Math.max(usual * 3, bucketS * 2500, 1000);
  });
}

/** The places in a column that stand alone between gaps: no line shows them. */
export function aloneIn(column: readonly (number | null | undefined)[]): number[] {
  const empty = (value: number | null | undefined): boolean => value === null || value === undefined;
  return column.flatMap((value, index) => (!empty(value) && empty(column[index - 1]) && empty(column[index + 1]) ? [index] : []));
}

/** The columns uPlot draws (seconds; low, high, mean), with an empty row inside every gap so that no line crosses it. */
export function columnsOf(series: Series): { columns: Columns; gaps: number } {
  const silent = gapsBefore(series.at, series.bucket_s);
  const columns: Columns = [[], [], [], []];
  let gaps = 0;
  series.at.forEach((at, index) => {
    const before = series.at[index - 1];
    if (before !== undefined && silent[index]) {
      gaps += 1;
      put(columns, (before + at) / 2000, null, null, null);
    }
    put(columns, at / 1000, series.min[index] ?? null, series.max[index] ?? null, series.avg[index] ?? null);
  });
  return { columns, gaps };
}

type Column = (number | null)[];
type Columns = [number[], Column, Column, Column];

function put([ats, lows, highs, means]: Columns, at: number, low: number | null, high: number | null, mean: number | null): void {
  ats.push(at);
  lows.push(low);
  highs.push(high);
  means.push(mean);
}

/** The same as rows, newest first, a gap standing as its length in seconds. */
export function rowsOf(series: Series): (Row | { gap_s: number; at: number })[] {
  const silent = gapsBefore(series.at, series.bucket_s);
  const rows: (Row | { gap_s: number; at: number })[] = [];
  series.at.forEach((at, index) => {
    const before = series.at[index - 1];
    if (before !== undefined && silent[index]) rows.push({ gap_s: (at - before) / 1000, at: before });
    const pick = (column: number[]): number => column[index] ?? NaN;
    rows.push({ at, avg: pick(series.avg), min: pick(series.min), max: pick(series.max), count: pick(series.count) });
  });
  return rows.reverse();
}

/** Lowest, highest and last of what is shown. */
export function summaryOf(series: Series): { min: number; max: number; last: number; lastAt: number } | null {
  const last = series.at.length - 1;
  if (last < 0) return null;
  return {
    min: Math.min(...series.min),
    max: Math.max(...series.max),
    last: series.avg[last] ?? NaN,
    lastAt: series.at[last] ?? NaN,
  };
}
