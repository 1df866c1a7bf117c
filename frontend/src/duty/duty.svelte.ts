/** What is known of the shift: who is here, which hand-overs wait. Shared by the menu and the dialogs. */

import { Refusal } from "../api/client";
import { desk } from "../state/desk.svelte";
import { dutyCalls } from "./calls";
import type { Board, Handover } from "./types";

class DutyBoard {
  board = $state.raw<Board | null>(null);
  why = $state.raw<Refusal | null>(null);
  private asked = 0;

  async load(): Promise<void> {
    const turn = (this.asked += 1);
    try {
      const board = await dutyCalls.board();
      if (turn !== this.asked) return;
      this.board = board;
      this.why = null;
    } catch (fault) {
      if (turn === this.asked) this.why = fault instanceof Refusal ? fault : new Refusal(0, "fault", "화면에서 오류가 났습니다.", String(fault));
    }
  }

  /** Offered to the person at this screen and not answered yet. */
  get incoming(): Handover[] {
    return this.board?.handovers.filter((row) => row.phase === "offered" && row.receiver.id === desk.myId) ?? [];
  }

  get outgoing(): Handover[] {
    return this.board?.handovers.filter((row) => row.phase === "offered" && row.giver.id === desk.myId) ?? [];
  }

  get others(): Handover[] {
    const mine = new Set([...this.incoming, ...this.outgoing].map((row) => row.id));
    return this.board?.handovers.filter((row) => !mine.has(row.id)) ?? [];
  }
}

export const duty = new DutyBoard();
