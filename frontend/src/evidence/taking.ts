/** Taking a still from a tile: the tile that has the focus, else the enlarged one, else the first of an incident. */

import { desk } from "../state/desk.svelte";
import { settings } from "../state/settings.svelte";
import { evidence } from "./calls";
import { EVD } from "./words";

interface Source {
  lease: () => string | null;
  ofIncident: boolean;
}

const sources = new Map<string, Source>();

/** A tile offers its picture while it shows one; returns what ends that. */
export function offerTile(key: string, source: Source): () => void {
  sources.set(key, source);
  return () => {
    if (sources.get(key) === source) sources.delete(key);
  };
}

function chosen(): string | null {
  const focused = document.activeElement?.closest<HTMLElement>("[data-tile]")?.dataset.tile;
  const keys = [focused, desk.enlarged, ...[...sources].filter(([, source]) => source.ofIncident).map(([key]) => key)];
  return keys.find((key) => typeof key === "string" && (sources.get(key)?.lease() ?? null) !== null) ?? null;
}

export async function takeStill(key: string | null = chosen()): Promise<void> {
  const lease = key === null ? null : (sources.get(key)?.lease() ?? null);
  if (lease === null) return desk.toast("plain", settings.say(EVD.no_tile));
  await desk.trying(async () => {
    await evidence.still(lease);
    desk.toast("good", settings.say(EVD.still_wanted));
  });
}
