/** An area on the city's own ground. Loaded when somebody opens the map. */

import { GeoJSONSource, Map as MapLibreMap, setWorkerUrl } from "maplibre-gl";
import "maplibre-gl/dist/maplibre-gl.css";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url";
import { api } from "../api/client";
import { places } from "../map/calls";
import { GROUND, groundStyle } from "../map/style";
import { addTiles, paintTiles } from "../map/tiles";
import type { Theme } from "../state/settings.svelte";
import type { JsonObject } from "./types";

const M_PER_DEGREE = 111_320;
const CORNERS = 64;

export interface AreaGround {
  show: (area: JsonObject) => void;
  paint: (theme: Theme) => void;
  remove: () => void;
}

export async function areaGround(
  box: HTMLElement,
  city: { lon: number; lat: number; zoom: number },
  area: JsonObject,
  theme: Theme,
  title: string,
  pick: (lon: number, lat: number) => void,
): Promise<AreaGround> {
  setWorkerUrl(workerUrl);
  const ring = ringOf(area);
  const map = new MapLibreMap({
    container: box,
    style: groundStyle(theme),
    center: (ring[0] as [number, number] | undefined) ?? [city.lon, city.lat],
    zoom: ring.length > 0 ? 14.5 : city.zoom,
    attributionControl: false,
    dragRotate: false,
    pitchWithRotate: false,
    fadeDuration: 0,
    locale: { "Map.Title": title },
  });
  await new Promise((loaded) => map.once("load", loaded));
  await lay(map, theme);
  map.addSource("area", { type: "geojson", data: shapeOf(area) });
  map.addLayer({ id: "area-fill", type: "fill", source: "area", filter: ["==", ["geometry-type"], "Polygon"], paint: { "fill-color": ink("--accent"), "fill-opacity": 0.24 } });
  map.addLayer({ id: "area-line", type: "line", source: "area", paint: { "line-color": ink("--accent"), "line-width": 2.5 } });
  map.addLayer({ id: "area-corner", type: "circle", source: "area", filter: ["==", ["geometry-type"], "Point"], paint: { "circle-radius": 5, "circle-color": ink("--accent"), "circle-stroke-color": ink("--sheet"), "circle-stroke-width": 2 } });
  map.getCanvas().style.cursor = "crosshair";
  map.on("click", (event) => pick(event.lngLat.lng, event.lngLat.lat));
  return {
    show: (next) => {
      const source = map.getSource("area");
      if (source instanceof GeoJSONSource) source.setData(shapeOf(next));
    },
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

function ringOf(area: JsonObject): number[][] {
  if (area["shape"] === "polygon") return (Array.isArray(area["ring"]) ? area["ring"] : []) as number[][];
  const [lon, lat, radius] = [Number(area["lon"]), Number(area["lat"]), Number(area["radius_m"])];
  if (![lon, lat, radius].every(Number.isFinite)) return [];
  return Array.from({ length: CORNERS }, (_, place) => {
    const turn = (place / CORNERS) * 2 * Math.PI;
    return [lon + (radius * Math.sin(turn)) / (M_PER_DEGREE * Math.cos((lat * Math.PI) / 180)), lat + (radius * Math.cos(turn)) / M_PER_DEGREE];
  });
}

function shapeOf(area: JsonObject): GeoJSON.FeatureCollection {
  const ring = ringOf(area);
  const closed = ring[0] ? [...ring, ring[0]] : [];
  const features: GeoJSON.Feature[] = [];
  if (ring.length > 2) features.push({ type: "Feature", properties: {}, geometry: { type: "Polygon", coordinates: [closed] } });
  const points = area["shape"] === "polygon" ? ring : ring.length > 0 ? [[Number(area["lon"]), Number(area["lat"])]] : [];
  for (const coordinates of points) features.push({ type: "Feature", properties: {}, geometry: { type: "Point", coordinates } });
  return { type: "FeatureCollection", features };
}

function ink(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function repaint(map: MapLibreMap, theme: Theme): void {
  for (const layer of groundStyle(theme).layers) {
    for (const [name, value] of Object.entries(layer.paint ?? {})) map.setPaintProperty(layer.id, name as never, value as never);
  }
  paintTiles(map, theme);
  map.setPaintProperty("area-fill", "fill-color", ink("--accent"));
  map.setPaintProperty("area-line", "line-color", ink("--accent"));
  map.setPaintProperty("area-corner", "circle-color", ink("--accent"));
}
