/** The incident on the city's own ground, at one moment. Loaded when shown. */

import { GeoJSONSource, Map as MapLibreMap, setWorkerUrl } from "maplibre-gl";
import "maplibre-gl/dist/maplibre-gl.css";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url";
import { api } from "../api/client";
import { places } from "../map/calls";
import { FONT, GROUND, groundStyle } from "../map/style";
import { addTiles, paintTiles } from "../map/tiles";
import type { Theme } from "../state/settings.svelte";
import type { Scene } from "./said";
import type { Report } from "./types";

export interface ReplayMap {
  show: (scene: Scene) => void;
  paint: (theme: Theme) => void;
  remove: () => void;
}

export async function replayMap(box: HTMLElement, report: Report, theme: Theme, title: string): Promise<ReplayMap> {
  setWorkerUrl(workerUrl);
  const map = new MapLibreMap({
    container: box,
    style: groundStyle(theme),
    center: [report.incident.place.lon ?? 0, report.incident.place.lat ?? 0],
    zoom: 15.2,
    attributionControl: false,
    dragRotate: false,
    pitchWithRotate: false,
    fadeDuration: 0,
    locale: { "Map.Title": title },
  });
  await new Promise((loaded) => map.once("load", loaded));
  await lay(map, theme);
  mark(map);
  return {
    show: (scene) => draw(map, report, scene),
    paint: (next) => repaint(map, next),
    remove: () => map.remove(),
  };
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

function ink(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function inks(): unknown[] {
  return ["match", ["get", "what"], "incident", ink("--emergency"), "signal", ink("--caution"), "now", ink("--accent"), ink("--grey")];
}

function mark(map: MapLibreMap): void {
  map.addSource("marks", { type: "geojson", data: { type: "FeatureCollection", features: [] } });
  map.addLayer({
    id: "marks",
    type: "symbol",
    source: "marks",
    layout: {
      "text-field": ["get", "shape"],
      "text-size": ["match", ["get", "what"], "incident", 26, "now", 22, 16],
      "text-font": FONT,
      "text-allow-overlap": true,
      "symbol-sort-key": ["get", "rank"],
    },
    paint: { "text-color": inks() as never, "text-halo-color": ink("--sheet"), "text-halo-width": 1.6 },
  });
}

function draw(map: MapLibreMap, report: Report, scene: Scene): void {
  const source = map.getSource("marks");
  if (!(source instanceof GeoJSONSource)) return;
  const features: GeoJSON.Feature[] = [];
  const put = (lon: number | null, lat: number | null, what: string, shape: string, rank: number): void => {
    if (lon !== null && lat !== null) features.push({ type: "Feature", properties: { what, shape, rank }, geometry: { type: "Point", coordinates: [lon, lat] } });
  };
  report.signals.events.forEach((event, n) => scene.events[n] && put(event.lon, event.lat, "signal", "▲", 1));
  report.cameras.forEach((camera, n) => {
    const state = scene.cameras[n];
    if (state !== "before") put(camera.lon, camera.lat, state ?? "after", state === "now" ? "●" : "○", 2);
  });
  put(report.incident.place.lon, report.incident.place.lat, "incident", "◆", 3);
  source.setData({ type: "FeatureCollection", features });
}

function repaint(map: MapLibreMap, theme: Theme): void {
  for (const layer of groundStyle(theme).layers) {
    for (const [name, value] of Object.entries(layer.paint ?? {})) map.setPaintProperty(layer.id, name as never, value as never);
  }
  paintTiles(map, theme);
  map.setPaintProperty("marks", "text-color", inks() as never);
  map.setPaintProperty("marks", "text-halo-color", ink("--sheet"));
}
