/** What a desk tells a wall of the same person: the incident looked at and the cameras shown. Pure. */

import type { Tile } from "../video/net";

export interface SaidTile {
  camera_id: string;
  label: string;
  grant_id: string | null;
  incident_id: string | null;
  incident_number: string | null;
  distance_m: number | null;
}

export interface Said {
  person: string;
  authority: string;
  incident_id: string | null;
  tiles: SaidTile[];
  enlarged: string | null;
}

export const MOST_TILES = 9;

/** What came over a channel or out of the server's memory, if it is whole; else null. */
export function saidOf(given: unknown): Said | null {
  if (typeof given !== "object" || given === null) return null;
  const { person, authority, incident_id, tiles, enlarged } = given as Record<string, unknown>;
  if (typeof person !== "string" || typeof authority !== "string" || !Array.isArray(tiles)) return null;
  return {
    person,
    authority,
    incident_id: text(incident_id),
    tiles: tiles.flatMap(tileOf).slice(0, MOST_TILES),
    enlarged: text(enlarged),
  };
}

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value : null;
}

function tileOf(value: unknown): SaidTile[] {
  if (typeof value !== "object" || value === null) return [];
  const tile = value as Record<string, unknown>;
  const [camera_id, label] = [text(tile["camera_id"]), text(tile["label"])];
  if (camera_id === null || label === null) return [];
  const distance_m = typeof tile["distance_m"] === "number" ? tile["distance_m"] : null;
  return [
    {
      camera_id,
      label,
      grant_id: text(tile["grant_id"]),
      incident_id: text(tile["incident_id"]),
      incident_number: text(tile["incident_number"]),
      distance_m,
    },
  ];
}

/** A tile as it is told. */
export function toldOf(tile: Tile): SaidTile {
  return {
    camera_id: tile.cameraId,
    label: tile.label,
    grant_id: tile.grantId,
    incident_id: tile.incidentId,
    incident_number: tile.incidentNumber,
    distance_m: tile.distanceM,
  };
}

/** The tiles a wall shows next: cameras shown already keep their tile, so that no picture starts anew. */
export function tilesFor(shown: readonly Tile[], said: readonly SaidTile[], key: (cameraId: string) => string): Tile[] {
  const known = new Map(shown.map((tile) => [tile.cameraId, tile]));
  return said.map((tile) => {
    const held = known.get(tile.camera_id);
    if (held !== undefined && held.grantId === tile.grant_id) return held;
    return {
      key: key(tile.camera_id),
      cameraId: tile.camera_id,
      label: tile.label,
      grantId: tile.grant_id,
      incidentId: tile.incident_id,
      incidentNumber: tile.incident_number,
      distanceM: tile.distance_m,
    };
  });
}

export type WallLayout = "full" | "video" | "map" | "queue";
export const LAYOUTS: readonly WallLayout[] = ["full", "video", "map", "queue"];

export function layoutOf(said: string | null): WallLayout {
  return LAYOUTS.find((one) => one === said) ?? "full";
}
