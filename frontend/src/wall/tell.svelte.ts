/** The desk tells its walls what it shows: at once in this browser, and by the server for other machines. */

import { desk } from "../state/desk.svelte";
import { deskCalls } from "./calls";
import { toldOf, type Said } from "./said";

export const CHANNEL = "madang.desk";
const SETTLE_MS = 300;

/** Call once while the desk's page is being made. */
export function tellTheWall(): void {
  const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel(CHANNEL) : null;
  let said: Said | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;

  $effect(() => {
    if (desk.me === null || !desk.hasDesk) {
      said = null;
      return;
    }
    const enlarged = desk.tiles.find((tile) => tile.key === desk.enlarged)?.cameraId ?? null;
    const now: Said = {
      person: desk.me.person.id,
      authority: desk.me.authority.code,
      incident_id: desk.selectedId,
      tiles: desk.tiles.map(toldOf),
      enlarged,
    };
    said = now;
    channel?.postMessage(now);
    void desk.line.state; // a core that was restarted has forgotten: told again when the line is back
    clearTimeout(timer);
    timer = setTimeout(() => void deskCalls.tell(now).catch(() => undefined), SETTLE_MS);
  });

  $effect(() => {
    if (channel === null) return;
    channel.onmessage = (event) => {
      if (event.data === "hello" && said !== null) channel.postMessage(said);
    };
    return () => channel.close();
  });
}
