/** 투망: which cameras a throw of the net opens, and how tiles fill the wall. Pure. */

import type { RankedCamera, Sees } from "../api/types";

export type Layout = 1 | 4 | 9;

export interface Tile {
  key: string;
  cameraId: string;
  label: string;
  grantId: string | null;
  incidentId: string | null;
  incidentNumber: string | null;
  distanceM: number | null;
}

const SEEING: Record<Sees, number> = { yes: 0, unknown: 1, no: 2 };

/** The cameras to open: working ones first, then those that see the place, then the server's own order. */
export function catchOf(cameras: readonly RankedCamera[], count: number): RankedCamera[] {
  const order = (camera: RankedCamera): number => (camera.health === "offline" ? 10 : 0) + SEEING[camera.sees];
  return cameras
    .map((camera, index) => ({ camera, index }))
    .sort((a, b) => order(a.camera) - order(b.camera) || a.index - b.index)
    .slice(0, count)
    .map((entry) => entry.camera);
}

export interface Hung {
  tiles: Tile[];
  layout: Layout;
  dropped: Tile[];
}

/** The wall with `added` on it: a camera already shown stays where it is; the wall grows to nine, then the oldest go. */
export function hang(tiles: readonly Tile[], added: readonly Tile[], layout: Layout): Hung {
  const shown = new Map(tiles.map((tile) => [tile.cameraId, tile]));
  for (const tile of added) if (!shown.has(tile.cameraId)) shown.set(tile.cameraId, tile);
  const all = [...shown.values()];
  const grown = layoutFor(Math.min(all.length, 9), layout);
  const dropped = all.slice(0, Math.max(0, all.length - grown));
  return { tiles: all.slice(dropped.length), layout: grown, dropped };
}

export function layoutFor(count: number, atLeast: Layout): Layout {
  const needed: Layout = count <= 1 ? 1 : count <= 4 ? 4 : 9;
  return needed > atLeast ? needed : atLeast;
}
