/** What the map asks of the server about the ground and about a point on it. */

import { call, query } from "../api/client";

export interface GroundAbout {
  tiles: string | null;
  min_zoom: number;
  made_at: string | null;
}

/** A point in words: one line in each language, and its parts. */
export interface Described {
  ko: string;
  en: string;
  address: string;
  district: string;
  road: { name: string; number: string; distance_m: number; side_ko: string; side_en: string } | null;
  landmarks: { name: string; distance_m: number; ko: string; en: string }[];
}

export const places = {
  ground: () => call<GroundAbout>("GET", "/ground"),
  describe: (lon: number, lat: number) =>
    call<Described>("GET", `/describe?${query({ lon: lon.toFixed(7), lat: lat.toFixed(7) })}`),
};
