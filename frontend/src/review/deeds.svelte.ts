/** What a person is about to do: one dialog at a time, and who wants to hear that it was done. */

import type { Refusal } from "../api/client";
import { refused } from "../hub/session.svelte";
import { sayings } from "../hub/said.svelte";
import { R } from "./words";
import type { Lesson, One } from "./types";

export type DeedNow =
  | { kind: "finding"; one: One }
  | { kind: "lesson"; one: One }
  | { kind: "no"; one: One; key: string; question: string; note: string }
  | { kind: "sign"; one: One }
  | { kind: "addendum"; one: One }
  | { kind: "move"; lesson: Lesson; step: "done" | "drop" | "reopen" }
  | { kind: "rule"; lesson: Lesson }
  | { kind: "sop"; lesson: Lesson };

class Deeds {
  now = $state.raw<DeedNow | null>(null);
  private then: () => void = () => undefined;

  ask(deed: DeedNow, then: () => void): void {
    this.then = then;
    this.now = deed;
  }

  close(): void {
    this.now = null;
  }

  /** Does it; the dialog stays open with what went wrong. */
  async run(work: () => Promise<unknown>): Promise<Refusal | null> {
    try {
      await work();
    } catch (fault) {
      const why = refused(fault);
      if (why.status === 409) this.then();
      return why;
    }
    sayings.say(R.done);
    this.close();
    this.then();
    return null;
  }

  /** What needs no dialog. */
  async at_once(work: () => Promise<unknown>, then: () => void): Promise<void> {
    this.then = then;
    const why = await this.run(work);
    if (why !== null) sayings.say({ ko: why.ko, en: why.en }, true);
  }
}

export const deeds = new Deeds();
