/**
 * The sign of life of this screen. It answers what is heard on the live line, so that it proves both directions and
 * goes on in a hidden tab, where timers are held back.
 */

import { dutyCalls } from "./calls";

export const BEAT_EVERY_MS = 12_000;

/** Whether a sign of life is due: the last was long enough ago, or the clock was set back. */
export function isDue(lastMs: number, nowMs: number): boolean {
  return nowMs - lastMs >= BEAT_EVERY_MS || nowMs < lastMs;
}

let last = -Infinity;

/** Something was heard: say that we are here, if that was not said lately. A lost one is made good by the next.
 *  `onlost` hears how many incidents were taken off this person while the screen was silent. */
export function answerTheLine(nowMs: number, onlost: (incidents: number) => void): void {
  if (!isDue(last, nowMs)) return;
  last = nowMs;
  void dutyCalls.stillHere().then(
    ({ lost }) => (lost > 0 ? onlost(lost) : undefined),
    () => undefined,
  );
}
