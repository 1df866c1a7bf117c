/** What a person is about to do: one dialog at a time, and who wants to hear that it was done. */

import { Refusal } from "../api/client";
import { refused } from "../hub/session.svelte";
import { sayings } from "../hub/said.svelte";
import { F, WITH_REASON } from "./words";
import { facilities } from "./calls";
import type { Facility, Inspection, Order, OrderStep, Outage, OutageStep } from "./types";

type Named = Pick<Facility, "id" | "name" | "vendor">;
export type DeedNow =
  | { kind: "report"; thing: Named }
  | { kind: "order"; thing: Named; outage: string }
  | { kind: "plan"; thing: Named }
  | { kind: "inspect"; thing: Named }
  | { kind: "service"; thing: Named; on: boolean }
  | { kind: "outage"; outage: Outage; step: OutageStep }
  | { kind: "move"; order: Order; step: OrderStep }
  | { kind: "cancel"; inspection: Inspection };

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

  /** Does it; the dialog stays open with what went wrong, unless it was that somebody else was quicker. */
  async run(work: () => Promise<unknown>): Promise<Refusal | null> {
    try {
      await work();
    } catch (fault) {
      const why = refused(fault);
      if (why.status === 409) {
        sayings.say({ ko: why.ko, en: why.en }, true);
        this.close();
        this.then();
        return null;
      }
      return why;
    }
    sayings.say(F.done);
    this.close();
    this.then();
    return null;
  }

  /** A step that needs no more words is taken at once. */
  async outage(outage: Outage, step: OutageStep, then: () => void): Promise<void> {
    this.then = then;
    if (WITH_REASON.has(step)) this.now = { kind: "outage", outage, step };
    else await this.told(this.run(() => facilities.moveOutage(outage, step, "")));
  }

  async order(order: Order, step: OrderStep, then: () => void): Promise<void> {
    this.then = then;
    if (WITH_REASON.has(step) || step === "finish") this.now = { kind: "move", order, step };
    else await this.told(this.run(() => facilities.moveOrder(order, step, "")));
  }

  private async told(result: Promise<Refusal | null>): Promise<void> {
    const why = await result;
    if (why !== null) sayings.say({ ko: why.ko, en: why.en }, true);
  }
}

export const deeds = new Deeds();
