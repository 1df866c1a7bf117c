/** Shapes on the ground, small enough for a flat earth around one camera. Pure. Lon/lat in, GeoJSON out. */

import type { Health, MapCamera } from "../api/types";

type Ring = [number, number][];

const METRES_PER_DEGREE = 111_320;
/** As fine as the horizons of cameras. */
const STEP_DEG = 3;

/** The point `metres` away on `bearing` (0 = north, clockwise); good to centimetres at camera ranges. */
export function offset(lon: number, lat: number, bearingDeg: number, metres: number): [number, number] {
  const turn = (bearingDeg * Math.PI) / 180;
  const north = (Math.cos(turn) * metres) / METRES_PER_DEGREE;
  const east = (Math.sin(turn) * metres) / (METRES_PER_DEGREE * Math.cos((lat * Math.PI) / 180));
  return [lon + east, lat + north];
}

export function circle(lon: number, lat: number, radiusM: number, steps = 120): Ring {
  const ring: Ring = [];
  for (let i = 0; i <= steps; i += 1) ring.push(offset(lon, lat, (i * 360) / steps, radiusM));
  return ring;
}

/** The pie a surveyed camera looks into. */
export function sector(lon: number, lat: number, azimuthDeg: number, hfovDeg: number, rangeM: number): Ring {
  if (hfovDeg >= 360) return circle(lon, lat, rangeM);
  const steps = Math.max(4, Math.ceil(hfovDeg / STEP_DEG));
  const ring: Ring = [[lon, lat]];
  for (let i = 0; i <= steps; i += 1) {
    ring.push(offset(lon, lat, azimuthDeg - hfovDeg / 2 + (hfovDeg * i) / steps, rangeM));
  }
  ring.push([lon, lat]);
  return ring;
}

/** A ring cut where buildings stand in the way: `freeM` holds metres for directions from north clockwise. */
export function cut(lon: number, lat: number, ring: Ring, freeM: readonly (number | null)[]): Ring {
  const east = METRES_PER_DEGREE * Math.cos((lat * Math.PI) / 180);
  return ring.map(([x, y]) => {
    const [dx, dy] = [(x - lon) * east, (y - lat) * METRES_PER_DEGREE];
    const metres = Math.hypot(dx, dy);
    if (metres < 0.5) return [x, y];
    const bearing = ((Math.atan2(dx, dy) * 180) / Math.PI + 360) % 360;
    const free = freeM[Math.floor((bearing / 360) * freeM.length) % freeM.length] ?? Infinity;
    return free < metres ? offset(lon, lat, bearing, free) : [x, y];
  });
}

export interface View {
  ring: Ring;
  known: boolean;
}

type Viewing = Pick<MapCamera, "lon" | "lat" | "azimuth_deg" | "hfov_deg" | "range_m"> & { free_m?: readonly (number | null)[] | null };

/** What a camera may see: a sector where its direction was surveyed, else a disc marked unknown; less what buildings hide. */
export function viewOf(camera: Viewing): View {
  const { lon, lat, azimuth_deg, hfov_deg, range_m, free_m } = camera;
  const known = azimuth_deg !== null;
  const ring = azimuth_deg === null ? circle(lon, lat, range_m) : sector(lon, lat, azimuth_deg, hfov_deg, range_m);
  return { ring: free_m ? cut(lon, lat, ring, free_m) : ring, known };
}

/** Worse is higher: offline, then degraded, then unknown, then ok. */
export const BADNESS: Record<Health, number> = { ok: 0, unknown: 1, degraded: 2, offline: 3 };
const BY_BADNESS: Health[] = ["ok", "unknown", "degraded", "offline"];

export function healthOfBadness(badness: number): Health {
  return BY_BADNESS[badness] ?? "unknown";
}

/** Rows of a column table as cameras; columns are read by name, so that the server may add some. */
export function camerasOf(columns: readonly string[], rows: readonly unknown[][]): MapCamera[] {
  const at = new Map(columns.map((name, index) => [name, index]));
  const pick = (row: unknown[], name: string): unknown => row[at.get(name) ?? -1] ?? null;
  const text = (value: unknown): string => (value === null ? "" : String(value));
  return rows.map((row) => {
    const azimuth = pick(row, "azimuth_deg");
    const health = text(pick(row, "health"));
    return {
      id: text(pick(row, "id")),
      lon: Number(pick(row, "lon")),
      lat: Number(pick(row, "lat")),
      azimuth_deg: azimuth === null ? null : Number(azimuth),
      hfov_deg: Number(pick(row, "hfov_deg") ?? 60),
      range_m: Number(pick(row, "range_m") ?? 50),
      health: health in BADNESS ? (health as Health) : "unknown",
      purpose: text(pick(row, "purpose")),
      ptz: Boolean(pick(row, "ptz")),
      label: text(pick(row, "label")),
      site_id: text(pick(row, "site_id")),
    };
  });
}

/** A view box grown by a quarter on each side and rounded outward, so that small pans ask for nothing new. */
export function fetchBox(
  west: number,
  south: number,
  east: number,
  north: number,
): readonly [number, number, number, number] {
  const [dx, dy] = [(east - west) / 4, (north - south) / 4];
  return [
    Math.max(-180, west - dx),
    Math.max(-85, south - dy),
    Math.min(180, east + dx),
    Math.min(85, north + dy),
  ];
}

export function holds(
  outer: readonly [number, number, number, number],
  inner: readonly [number, number, number, number],
): boolean {
  return outer[0] <= inner[0] && outer[1] <= inner[1] && outer[2] >= inner[2] && outer[3] >= inner[3];
}
