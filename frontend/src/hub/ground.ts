/** A small map of one entity's place on the city's own ground; loaded only when a page has a place to show. */

import { GeoJSONSource, Map as MapLibreMap, setWorkerUrl } from "maplibre-gl";
import "maplibre-gl/dist/maplibre-gl.css";
import workerUrl from "maplibre-gl/dist/maplibre-gl-worker.mjs?worker&url";
import { api } from "../api/client";
import { places } from "../map/calls";
import { GROUND, groundStyle } from "../map/style";
import { addTiles, paintTiles } from "../map/tiles";
import type { Theme } from "../state/settings.svelte";

type Geometries = readonly GeoJSON.Geometry[];

export interface SmallMap {
  show: (geometries: Geometries) => void;
  paint: (theme: Theme) => void;
  remove: () => void;
}

const MARKS = ["here-area", "here-line", "here-point"] as const;

/** Draws into `box`; resolves once everything stands. */
export async function smallMap(box: HTMLElement, geometries: Geometries, theme: Theme, title: string): Promise<SmallMap> {
  setWorkerUrl(workerUrl);
  const map = new MapLibreMap({
    container: box,
    style: groundStyle(theme),
    bounds: boundsOf(geometries),
    fitBoundsOptions: { padding: 40, maxZoom: 15.5 },
    attributionControl: false,
    dragRotate: false,
    pitchWithRotate: false,
    fadeDuration: 0,
    locale: { "Map.Title": title },
  });
  const put = (name: string, data: GeoJSON.FeatureCollection): void => {
    const source = map.getSource(name);
    if (source instanceof GeoJSONSource) source.setData(data);
  };
  await new Promise((loaded) => map.once("load", loaded));
  mark(map, geometries);
  const { tiles } = await places.ground();
  if (tiles !== null) addTiles(map, tiles, theme);
  else {
    const ground = await api.basemap();
    for (const name of GROUND) if (ground[name]) put(name, ground[name]);
  }
  return {
    show: (now) => put("here", collectionOf(now)),
    paint: (next) => repaint(map, next),
    remove: () => map.remove(),
  };
}

function mark(map: MapLibreMap, geometries: Geometries): void {
  const colour = ink();
  const only = (type: string): never => ["==", ["geometry-type"], type] as never;
  map.addSource("here", { type: "geojson", data: collectionOf(geometries) });
  map.addLayer({ id: "here-area", type: "fill", source: "here", filter: only("Polygon"), paint: { "fill-color": colour, "fill-opacity": 0.2 } });
  map.addLayer({ id: "here-line", type: "line", source: "here", filter: ["!=", ["geometry-type"], "Point"], paint: { "line-color": colour, "line-width": 3 } });
  map.addLayer({
    id: "here-point",
    type: "circle",
    source: "here",
    filter: only("Point"),
    paint: { "circle-radius": 8, "circle-color": colour, "circle-stroke-color": "#ffffff", "circle-stroke-width": 2.5 },
  });
}

function repaint(map: MapLibreMap, theme: Theme): void {
  for (const layer of groundStyle(theme).layers) {
    for (const [name, value] of Object.entries(layer.paint ?? {})) map.setPaintProperty(layer.id, name as never, value as never);
  }
  paintTiles(map, theme);
  for (const id of MARKS) map.setPaintProperty(id, `${id === "here-area" ? "fill" : id === "here-line" ? "line" : "circle"}-color`, ink());
}

function ink(): string {
  return getComputedStyle(document.documentElement).getPropertyValue("--emergency").trim();
}

function collectionOf(geometries: Geometries): GeoJSON.FeatureCollection {
  return { type: "FeatureCollection", features: geometries.map((geometry) => ({ type: "Feature", properties: {}, geometry })) };
}

function boundsOf(geometries: Geometries): [number, number, number, number] {
  const pairs = geometries.flatMap((one) => ("coordinates" in one ? pairsIn(one.coordinates) : []));
  const [lons, lats] = [pairs.map((pair) => pair[0]), pairs.map((pair) => pair[1])];
  return [Math.min(...lons), Math.min(...lats), Math.max(...lons), Math.max(...lats)];
}

function pairsIn(coordinates: unknown): [number, number][] {
  if (!Array.isArray(coordinates)) return [];
  if (typeof coordinates[0] === "number") return [[coordinates[0], Number(coordinates[1])]];
  return coordinates.flatMap(pairsIn);
}
