/** One thing that is looked at again and again: what was seen last stays on the screen, with its age. */

import type { Refusal } from "../api/client";
import { clock } from "../state/clock.svelte";
import { refused, session } from "./session.svelte";

export class Look<T> {
  data = $state.raw<T | null>(null);
  /** Why the last look failed; null when it went well. */
  fault = $state.raw<Refusal | null>(null);
  /** When `data` was seen, by this screen's clock. */
  seenAt = $state(0);
  /** True while something else than what is shown is being fetched. */
  changing = $state(false);

  private text = "";
  private again: (() => void) | null = null;

  /** Looks now and every so often, but not while the page is hidden; the returned function ends it. */
  follow(ask: () => Promise<T>, everyMs: number): () => void {
    let over = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    this.changing = true;
    const once = async (): Promise<void> => {
      clearTimeout(timer);
      if (!document.hidden) await this.once(ask, () => over);
      if (!over && everyMs > 0) timer = setTimeout(() => void once(), this.fault === null ? everyMs : Math.min(everyMs, 5_000));
    };
    const shown = (): void => void (document.hidden || once());
    this.again = () => void once();
    document.addEventListener("visibilitychange", shown);
    void once();
    return () => {
      over = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", shown);
    };
  }

  /** Looks at once, e.g. after something was done. */
  refresh(): void {
    this.again?.();
  }

  private async once(ask: () => Promise<T>, over: () => boolean): Promise<void> {
    try {
      const found = await ask();
      if (over()) return;
      const text = JSON.stringify(found, (name, value: unknown) => (name === "now" ? undefined : value));
      if (text !== this.text || this.data === null) {
        this.text = text;
        this.data = found;
      }
      follow(found);
      this.fault = null;
      this.seenAt = clock.now;
    } catch (raised) {
      if (over()) return;
      this.fault = refused(raised);
      if (this.fault.status === 401) session.ended();
    } finally {
      if (!over()) this.changing = false;
    }
  }
}

function follow(found: unknown): void {
  const now = typeof found === "object" && found !== null ? (found as { now?: unknown }).now : undefined;
  if (typeof now === "string") clock.follow(now);
}
