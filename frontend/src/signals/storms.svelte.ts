/** What the open storms hold, asked again when signals came, but not more often than an eye can follow. */

import { desk } from "../state/desk.svelte";
import { signalCalls } from "./calls";
import type { Storm } from "./types";

const LEAST_MS = 2_000;

class Storms {
  rows = $state.raw<ReadonlyMap<string, Storm>>(new Map());
  private askedAt = -Infinity;
  private timer: ReturnType<typeof setTimeout> | null = null;

  /** Something changed: ask, now or as soon as the last asking is old enough. */
  nudge(): void {
    if (this.timer !== null) return;
    const wait = Math.max(0, this.askedAt + LEAST_MS - performance.now());
    this.timer = setTimeout(() => void this.ask(), wait);
  }

  private async ask(): Promise<void> {
    this.askedAt = performance.now();
    try {
      const { storms } = await signalCalls.storms();
      this.rows = new Map(storms.map((one) => [one.incident_id, one]));
    } catch {
      // the figures stay as they were; the incident rows themselves come over the live line
    } finally {
      this.timer = null;
    }
  }

  of(incidentId: string): Storm | undefined {
    return this.rows.get(incidentId);
  }
}

export const storms = new Storms();

/** Follow the live line while a queue is on the screen. */
export function followStorms(): void {
  $effect(() => {
    void desk.nudges.shelf;
    const any = [...desk.live.incidents.values()].some((row) => row.class_code === "storm");
    if (desk.loaded && any) storms.nudge();
  });
}
