/** Splitting events out and merging incidents, each with one step back. */

import type { Incident } from "../api/types";
import { isOpen, isStorm } from "../queue/order";
import { desk } from "../state/desk.svelte";
import { settings } from "../state/settings.svelte";
import { signalCalls, NO_FILTER } from "./calls";
import type { Event } from "./types";
import { SIG } from "./words";

const MOST_UNDONE = 20;

class Deeds {
  /** The event chosen in a list of events, for the keys. */
  chosen = $state.raw<Event | null>(null);
  private back: (() => Promise<void>) | null = null;

  /** Whether somebody may split and merge here. */
  get may(): boolean {
    return desk.can("work_incident");
  }

  async splitChosen(): Promise<boolean> {
    return this.chosen !== null && this.split(this.chosen);
  }

  /** One press: the event becomes an incident of its own, which can be taken back. */
  async split(event: Event): Promise<boolean> {
    if (!this.may) return false;
    return desk.trying(async () => {
      const row = await signalCalls.split(event.id, SIG.split_why.ko);
      desk.take(row);
      this.remember(async () => {
        desk.take(await signalCalls.merge(row.id, event.incident_id));
        if (desk.selectedId === row.id) desk.select(event.incident_id);
      }, `${row.number} · ${settings.say(SIG.split_done)}`);
    });
  }

  askMerge(): void {
    const incident = desk.selected;
    if (incident !== null && this.may && isOpen(incident) && !isStorm(incident)) desk.dialog = { kind: "merge", incident };
  }

  async merge(incident: Incident, into: Incident): Promise<boolean> {
    return desk.trying(async () => {
      const held = await signalCalls.events(incident.id, NO_FILTER, 0, MOST_UNDONE + 1);
      const row = await signalCalls.merge(incident.id, into.id);
      desk.take(row);
      desk.select(row.id);
      const text = `${incident.number} → ${into.number} · ${settings.say(SIG.merge_done)}`;
      if (held.total === 0 || held.total > MOST_UNDONE) {
        this.back = null;
        desk.toast("good", text);
      } else this.remember(() => this.separate(held.rows), text);
    });
  }

  /** What was merged in comes out again: the first event opens the incident anew, the others join it. */
  private async separate(events: readonly Event[]): Promise<void> {
    let anew: Incident | null = null;
    for (const event of events) {
      const row: Incident = await signalCalls.split(event.id, SIG.undo_why.ko);
      anew = anew === null ? row : await signalCalls.merge(row.id, anew.id);
    }
    if (anew === null) return;
    desk.take(anew);
    desk.select(anew.id);
  }

  private remember(back: () => Promise<void>, text: string): void {
    this.back = back;
    desk.toast("good", text, { text: SIG.undo, run: () => void this.undo(back) });
  }

  /** Takes the last split or merge back, or the one that is meant. */
  async undo(meant: (() => Promise<void>) | null = this.back): Promise<void> {
    if (meant === null) return desk.toast("plain", settings.say(SIG.undo_none));
    if (await desk.trying(meant)) {
      if (this.back === meant) this.back = null;
      desk.toast("good", settings.say(SIG.undone));
    }
  }
}

export const deeds = new Deeds();
