/** The wall follows the desk of the same person: by the browser's own channel at once, else by the server. */

import { desk } from "../state/desk.svelte";
import { deskCalls } from "./calls";
import { saidOf, tilesFor, type Said } from "./said";
import { CHANNEL } from "./tell.svelte";

const ASK_EVERY_MS = 2_000;

class Following {
  said = $state.raw<Said | null>(null);
  private text = "";

  take(given: unknown): void {
    const said = saidOf(given);
    if (said === null || desk.me === null || said.person !== desk.me.person.id) return;
    if (said.authority !== desk.me.authority.code) return void desk.start();
    const text = JSON.stringify(said);
    if (text === this.text) return;
    this.text = text;
    this.said = said;
    desk.tiles = tilesFor(desk.tiles, said.tiles, (camera) => `wall:${camera}:${Date.now()}`);
    desk.enlarged = desk.tiles.find((tile) => tile.cameraId === said.enlarged)?.key ?? null;
    show(said.incident_id);
  }

  /** Begins; the returned function ends it. */
  begin(): () => void {
    const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel(CHANNEL) : null;
    if (channel !== null) channel.onmessage = (event) => this.take(event.data);
    channel?.postMessage("hello");
    const ask = async (): Promise<void> => {
      try {
        const { desk: given, authority } = await deskCalls.shown();
        if (desk.me !== null && authority !== desk.me.authority.code) void desk.start();
        else if (given !== null) this.take(given);
      } catch {
        // a core that does not answer is told by the live line
      }
    };
    void ask();
    const timer = setInterval(() => void ask(), ASK_EVERY_MS);
    return () => {
      clearInterval(timer);
      channel?.close();
    };
  }

  forget(): void {
    this.text = "";
    this.said = null;
  }
}

/** The incident, on the map too, as soon as there is one. */
export function show(incidentId: string | null): void {
  desk.select(incidentId);
  if (incidentId === null) return;
  let tries = 40;
  const timer = setInterval(() => {
    tries -= 1;
    const row = desk.selected;
    if (desk.selectedId !== incidentId || tries <= 0) return clearInterval(timer);
    if (row === null || desk.map === null) return;
    clearInterval(timer);
    desk.goToPlace(row.place);
  }, 250);
}

export const following = new Following();
