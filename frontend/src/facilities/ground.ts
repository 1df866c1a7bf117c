/** The facilities on the city's own ground: shapes by condition, clusters by the worst of them. Loaded when shown. */

import { GeoJSONSource, Map as MapLibreMap, setWorkerUrl } from "maplibre-gl";
import "maplibre-gl/dist/maplibre-gl.css";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url";
import { api } from "../api/client";
import type { Authority } from "../api/types";
import { places } from "../map/calls";
import { FONT, GROUND, groundStyle } from "../map/style";
import { addTiles, paintTiles } from "../map/tiles";
import type { Theme } from "../state/settings.svelte";
import { facilities } from "./calls";
import type { Condition, MapAnswer, Wanted } from "./types";
import { CONDITIONS } from "./words";

const REFRESH_MS = 20_000;
const LAYERS = ["things", "clusters"] as const;
const TONES: Record<Condition, string> = { out: "--emergency", suspect: "--caution", working: "--good", unknown: "--grey", off: "--grey" };
const RANK: Record<Condition, number> = { out: 4, suspect: 3, unknown: 2, working: 1, off: 0 };

export interface FacilityMap {
  want: (wanted: Wanted) => void;
  paint: (theme: Theme) => void;
  remove: () => void;
}

export async function facilityMap(
  box: HTMLElement,
  city: Authority,
  theme: Theme,
  title: string,
  open: (id: string) => void,
): Promise<FacilityMap> {
  setWorkerUrl(workerUrl);
  const map = new MapLibreMap({
    container: box,
    style: groundStyle(theme),
    center: [city.lon, city.lat],
    zoom: city.zoom - 0.6,
    attributionControl: false,
    dragRotate: false,
    pitchWithRotate: false,
    fadeDuration: 0,
    locale: { "Map.Title": title },
  });
  await new Promise((loaded) => map.once("load", loaded));
  await lay(map, theme);
  mark(map);
  const asking = new Asking(map);
  map.on("moveend", () => void asking.ask());
  map.on("click", "things", (event) => {
    const id = event.features?.[0]?.properties["id"] as string | undefined;
    if (id) open(id);
  });
  map.on("click", "clusters", (event) => map.easeTo({ center: event.lngLat, zoom: map.getZoom() + 2 }));
  for (const layer of LAYERS) {
    map.on("mouseenter", layer, () => (map.getCanvas().style.cursor = "pointer"));
    map.on("mouseleave", layer, () => (map.getCanvas().style.cursor = ""));
  }
  return {
    want: (wanted) => asking.want(wanted),
    paint: (next) => repaint(map, next),
    remove: () => {
      asking.stop();
      map.remove();
    },
  };
}

/** Asks for what stands in view, now and then, and after each move. */
class Asking {
  private wanted: Wanted | null = null;
  private turn = 0;
  private readonly timer: ReturnType<typeof setInterval>;

  constructor(private readonly map: MapLibreMap) {
    this.timer = setInterval(() => void (document.hidden || this.ask()), REFRESH_MS);
  }

  want(wanted: Wanted): void {
    this.wanted = wanted;
    void this.ask();
  }

  stop(): void {
    clearInterval(this.timer);
    this.turn = -1;
  }

  async ask(): Promise<void> {
    if (this.wanted === null || this.turn < 0) return;
    const turn = ++this.turn;
    const bounds = this.map.getBounds();
    try {
      const found = await facilities.map(this.wanted, [bounds.getWest(), bounds.getSouth(), bounds.getEast(), bounds.getNorth()]);
      if (turn === this.turn) draw(this.map, found);
    } catch {
      // what was drawn last stays; the lists tell that the line is down
    }
  }
}

async function lay(map: MapLibreMap, theme: Theme): Promise<void> {
  const { tiles } = await places.ground();
  if (tiles !== null) {
    addTiles(map, tiles, theme);
    return;
  }
  const ground = await api.basemap();
  for (const name of GROUND) {
    const source = map.getSource(name);
    if (source instanceof GeoJSONSource && ground[name]) source.setData(ground[name]);
  }
}

function mark(map: MapLibreMap): void {
  map.addSource("facilities", { type: "geojson", data: { type: "FeatureCollection", features: [] } });
  const halo = "#00000088";
  map.addLayer({
    id: "clusters",
    type: "circle",
    source: "facilities",
    filter: ["has", "count"],
    paint: {
      "circle-radius": ["interpolate", ["linear"], ["ln", ["get", "count"]], 0, 11, 8, 26],
      "circle-color": inks() as never,
      "circle-opacity": 0.28,
      "circle-stroke-color": inks() as never,
      "circle-stroke-width": 2,
    },
  });
  map.addLayer({
    id: "cluster-counts",
    type: "symbol",
    source: "facilities",
    filter: ["has", "count"],
    layout: { "text-field": ["get", "label"], "text-size": 12, "text-font": FONT, "text-allow-overlap": true },
    paint: { "text-color": ink("--ink"), "text-halo-color": ink("--sheet"), "text-halo-width": 1.4 },
  });
  map.addLayer({
    id: "things",
    type: "symbol",
    source: "facilities",
    filter: ["!", ["has", "count"]],
    layout: {
      "text-field": ["get", "shape"],
      "text-size": ["match", ["get", "condition"], "out", 21, "suspect", 18, 14],
      "text-font": FONT,
      "text-allow-overlap": true,
      "symbol-sort-key": ["get", "rank"],
    },
    paint: { "text-color": inks() as never, "text-halo-color": halo, "text-halo-width": 1.2 },
  });
}

function ink(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function inks(): unknown[] {
  const pairs = (Object.keys(TONES) as Condition[]).flatMap((one) => [one, ink(TONES[one])]);
  return ["match", ["get", "condition"], ...pairs, ink("--grey")];
}

function draw(map: MapLibreMap, found: MapAnswer): void {
  const source = map.getSource("facilities");
  if (!(source instanceof GeoJSONSource)) return;
  const things = found.rows.map(([id, lon, lat, , condition, name]) =>
    feature(lon, lat, { id, name, condition, shape: CONDITIONS[condition].shape, rank: RANK[condition] }),
  );
  const clusters = found.clusters.map((one) =>
    feature(one.lon, one.lat, { count: one.count, condition: one.worst, label: one.out > 0 ? `▲${one.out}/${one.count}` : `${one.count}` }),
  );
  source.setData({ type: "FeatureCollection", features: [...things, ...clusters] });
}

function feature(lon: number, lat: number, properties: Record<string, unknown>): GeoJSON.Feature {
  return { type: "Feature", properties, geometry: { type: "Point", coordinates: [lon, lat] } };
}

function repaint(map: MapLibreMap, theme: Theme): void {
  for (const layer of groundStyle(theme).layers) {
    for (const [name, value] of Object.entries(layer.paint ?? {})) map.setPaintProperty(layer.id, name as never, value as never);
  }
  paintTiles(map, theme);
  map.setPaintProperty("clusters", "circle-color", inks() as never);
  map.setPaintProperty("clusters", "circle-stroke-color", inks() as never);
  map.setPaintProperty("cluster-counts", "text-color", ink("--ink"));
  map.setPaintProperty("cluster-counts", "text-halo-color", ink("--sheet"));
  map.setPaintProperty("things", "text-color", inks() as never);
}
