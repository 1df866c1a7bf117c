/** Who sits here: the same session as the control room's. */

import { api, Refusal } from "../api/client";
import type { Me } from "../api/types";

type Phase = { at: "loading" } | { at: "out"; over: boolean } | { at: "error"; why: Refusal } | { at: "in" };

class Session {
  me = $state.raw<Me | null>(null);
  phase = $state.raw<Phase>({ at: "loading" });

  async start(): Promise<void> {
    this.phase = { at: "loading" };
    try {
      this.enter(await api.me());
    } catch (fault) {
      if (fault instanceof Refusal && fault.status === 401) this.phase = { at: "out", over: false };
      else this.phase = { at: "error", why: refused(fault) };
    }
  }

  enter(me: Me): void {
    this.me = me;
    this.phase = { at: "in" };
  }

  can(right: string): boolean {
    return this.me?.rights.includes(right) ?? false;
  }

  async leave(): Promise<void> {
    await api.logout().catch(() => undefined);
    this.me = null;
    this.phase = { at: "out", over: false };
  }

  /** The server no longer knows us. */
  ended(): void {
    this.me = null;
    this.phase = { at: "out", over: true };
  }
}

export function refused(fault: unknown): Refusal {
  return fault instanceof Refusal ? fault : new Refusal(0, "fault", "처리하지 못했습니다.", String(fault));
}

export const session = new Session();
