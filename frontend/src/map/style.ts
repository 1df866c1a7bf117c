/** How the map is drawn: our own data only, no tiles, sprites or glyph server. Pure. */

import type { LayerSpecification, StyleSpecification } from "maplibre-gl";
import type { Theme } from "../state/settings.svelte";

interface Paint {
  ground: string;
  land: string;
  border: string;
  water: string;
  park: string;
  building: string;
  buildingLine: string;
  roadCase: string;
  road: string;
  roadMajor: string;
  label: string;
  labelHalo: string;
  sector: string;
  accuracy: string;
}

const PAINTS: Record<Theme, Paint> = {
  dark: {
    ground: "#080c13",
    land: "#101826",
    border: "#4a5f7d",
    water: "#12324e",
    park: "#142a22",
    building: "#1c2839",
    buildingLine: "#2d3d55",
    roadCase: "#0b111b",
    road: "#33435b",
    roadMajor: "#536783",
    label: "#cfdbe9",
    labelHalo: "#0a0f17",
    sector: "#79bdff",
    accuracy: "#f7c04f",
  },
  light: {
    ground: "#d5dee8",
    land: "#f4f6f9",
    border: "#7f90a6",
    water: "#bcd9f0",
    park: "#d7ead9",
    building: "#e0e5ec",
    buildingLine: "#c3ccd8",
    roadCase: "#b8c3d0",
    road: "#ffffff",
    roadMajor: "#ffffff",
    label: "#1d2a3a",
    labelHalo: "#ffffff",
    sector: "#0a58a8",
    accuracy: "#8a5a00",
  },
};

export const SOURCES = [
  "boundaries",
  "parks",
  "water",
  "buildings",
  "roads",
  "labels",
  "cameras",
  "clusters",
  "views",
  "ranked",
  "accuracy",
  "candidates",
  "incidents",
] as const;

export const GROUND = ["boundaries", "parks", "water", "buildings", "roads", "labels"] as const;

export type SourceName = (typeof SOURCES)[number];

export const FONT = ["Pretendard, Noto Sans CJK KR, Noto Sans KR, Malgun Gothic, sans-serif"];

const EMPTY = { type: "FeatureCollection" as const, features: [] };

/** Cameras closer together than this on the screen become one cluster with the worst state and a count. */
const CLUSTER_PX = 56;
/** From here on each camera stands alone. */
export const ALONE_FROM_ZOOM = 16;

export function styleFor(theme: Theme): StyleSpecification {
  const sources: StyleSpecification["sources"] = {};
  for (const name of SOURCES) sources[name] = { type: "geojson", data: EMPTY };
  sources["cameras"] = {
    type: "geojson",
    data: EMPTY,
    cluster: true,
    clusterRadius: CLUSTER_PX,
    clusterMaxZoom: ALONE_FROM_ZOOM - 1,
    clusterProperties: { bad: ["max", ["get", "bad"]] },
  };
  return { version: 8, sources, layers: layersFor(theme) };
}

/** The ground alone, with its labels: for small maps that show one place. */
export function groundStyle(theme: Theme): StyleSpecification {
  const sources: StyleSpecification["sources"] = {};
  for (const name of GROUND) sources[name] = { type: "geojson", data: EMPTY };
  return { version: 8, sources, layers: [...ground(PAINTS[theme]), ...labels(PAINTS[theme])] };
}

export function layersFor(theme: Theme): LayerSpecification[] {
  const paint = PAINTS[theme];
  return [...ground(paint), ...views(paint), ...cameras(paint), ...labels(paint), ...incidents(paint)];
}

/** Rank 0 is drawn first and matters most; higher ranks appear as the map comes closer. */
const RANK = ["coalesce", ["get", "rank"], 0];
const MAJOR = ["==", RANK, 0];

function rankedBy(...zooms: number[]): never {
  const steps = zooms.flatMap((zoom, index) => [zoom, index + 1]);
  return ["<=", RANK, ["step", ["zoom"], 0, ...steps.slice(0, -1), 99]] as never;
}

function ground(p: Paint): LayerSpecification[] {
  return [
    { id: "ground", type: "background", paint: { "background-color": p.ground } },
    { id: "land", type: "fill", source: "boundaries", paint: { "fill-color": p.land } },
    { id: "parks", type: "fill", source: "parks", paint: { "fill-color": p.park } },
    {
      id: "water",
      type: "fill",
      source: "water",
      filter: ["==", ["geometry-type"], "Polygon"],
      paint: { "fill-color": p.water },
    },
    {
      id: "water-line",
      type: "line",
      source: "water",
      filter: ["==", ["geometry-type"], "LineString"],
      paint: { "line-color": p.water, "line-width": ["interpolate", ["linear"], ["zoom"], 10, 1.5, 17, 10] },
    },
    {
      id: "roads-case",
      type: "line",
      source: "roads",
      minzoom: 13,
      layout: { "line-cap": "round", "line-join": "round" },
      paint: { "line-color": p.roadCase, "line-width": roadWidth(2) },
    },
    {
      id: "roads",
      type: "line",
      source: "roads",
      filter: rankedBy(11, 12.5, 13.5),
      layout: { "line-cap": "round", "line-join": "round" },
      paint: { "line-color": ["case", MAJOR, p.roadMajor, p.road] as never, "line-width": roadWidth(0) },
    },
    {
      id: "buildings",
      type: "fill",
      source: "buildings",
      minzoom: 14,
      paint: { "fill-color": p.building, "fill-outline-color": p.buildingLine },
    },
    {
      id: "borders",
      type: "line",
      source: "boundaries",
      paint: { "line-color": p.border, "line-width": 1.2, "line-dasharray": [4, 2] },
    },
    {
      id: "road-labels",
      type: "symbol",
      source: "roads",
      minzoom: 13,
      filter: ["all", ["!=", ["coalesce", ["get", "name"], ""], ""], rankedBy(14, 15, 16)] as never,
      layout: {
        "symbol-placement": "line",
        "text-field": ["get", "name"],
        "text-font": FONT,
        "text-size": 12,
        "symbol-spacing": 320,
      },
      paint: { "text-color": p.label, "text-halo-color": p.labelHalo, "text-halo-width": 1.4, "text-opacity": 0.85 },
    },
  ];
}

function roadWidth(extra: number): never {
  const major = (n: number) => ["case", MAJOR, n + extra, n / 2.4 + extra];
  return ["interpolate", ["exponential", 1.5], ["zoom"], 9, major(1), 13, major(2.6), 16, major(9), 18, major(20)] as never;
}

function views(p: Paint): LayerSpecification[] {
  return [
    {
      id: "views",
      type: "fill",
      source: "views",
      filter: ["all", ["get", "known"], ["==", ["geometry-type"], "Polygon"]],
      paint: { "fill-color": p.sector, "fill-opacity": ["case", ["get", "chosen"], 0.24, 0.1] },
    },
    {
      id: "views-line",
      type: "line",
      source: "views",
      filter: ["get", "known"],
      paint: { "line-color": p.sector, "line-width": 1, "line-opacity": ["case", ["get", "chosen"], 0.95, 0.4] },
    },
    {
      id: "views-unknown",
      type: "line",
      source: "views",
      filter: ["!", ["get", "known"]],
      paint: {
        "line-color": p.sector,
        "line-width": 1.2,
        "line-dasharray": [2, 3],
        "line-opacity": ["case", ["get", "chosen"], 0.95, 0.45],
      },
    },
    { id: "accuracy", type: "fill", source: "accuracy", paint: { "fill-color": p.accuracy, "fill-opacity": 0.1 } },
    {
      id: "accuracy-line",
      type: "line",
      source: "accuracy",
      paint: { "line-color": p.accuracy, "line-width": 1.5, "line-dasharray": [3, 2] },
    },
  ];
}

function cameras(p: Paint): LayerSpecification[] {
  const count = (text: unknown): LayerSpecification["layout"] =>
    ({
      "icon-image": ["concat", "cluster-", ["to-string", ["get", "bad"]]],
      "icon-allow-overlap": true,
      "icon-ignore-placement": true,
      "text-field": text,
      "text-font": FONT,
      "text-size": 12,
      "text-allow-overlap": true,
      "text-ignore-placement": true,
    }) as never;
  return [
    {
      id: "cameras",
      type: "symbol",
      source: "cameras",
      filter: ["!", ["has", "point_count"]],
      layout: {
        "icon-image": ["concat", "camera-", ["get", "health"]],
        "icon-allow-overlap": true,
        "icon-ignore-placement": true,
        "icon-size": ["interpolate", ["linear"], ["zoom"], 11, 0.55, 16, 0.9, 18, 1.1],
      },
    },
    {
      id: "camera-clusters",
      type: "symbol",
      source: "cameras",
      filter: ["has", "point_count"],
      layout: withSize(count(["get", "point_count_abbreviated"]), "point_count"),
      paint: { "text-color": p.label },
    },
    {
      id: "server-clusters",
      type: "symbol",
      source: "clusters",
      layout: withSize(count(["to-string", ["get", "count"]]), "count"),
      paint: { "text-color": p.label },
    },
    {
      id: "ranked",
      type: "symbol",
      source: "ranked",
      layout: {
        "icon-image": "ranked",
        "icon-allow-overlap": true,
        "icon-ignore-placement": true,
        "text-field": ["get", "ranks"],
        "text-font": FONT,
        "text-size": 12,
        "text-allow-overlap": true,
        "text-ignore-placement": true,
        "icon-text-fit": "both",
        "icon-text-fit-padding": [2, 5, 2, 5],
      },
      paint: { "text-color": "#06121f" },
    },
  ];
}

function withSize(layout: LayerSpecification["layout"], property: string): never {
  return {
    ...(layout as object),
    "icon-size": ["interpolate", ["linear"], ["get", property], 2, 0.8, 300, 1.25],
  } as never;
}

function labels(p: Paint): LayerSpecification[] {
  return [
    {
      id: "labels",
      type: "symbol",
      source: "labels",
      filter: rankedBy(12, 14, 15),
      layout: {
        "text-field": ["coalesce", ["get", "name_ko"], ["get", "name"], ""],
        "text-font": FONT,
        "text-size": ["interpolate", ["linear"], ["zoom"], 9, 12, 15, 16],
        "text-max-width": 8,
        "text-anchor": "top",
        "text-offset": [0, 1.1],
      },
      paint: { "text-color": p.label, "text-halo-color": p.labelHalo, "text-halo-width": 2 },
    },
  ];
}

function incidents(p: Paint): LayerSpecification[] {
  return [
    {
      id: "candidates",
      type: "symbol",
      source: "candidates",
      layout: {
        "icon-image": "candidate",
        "icon-allow-overlap": true,
        "text-field": ["to-string", ["get", "rank"]],
        "text-font": FONT,
        "text-size": 13,
        "text-allow-overlap": true,
      },
      paint: { "text-color": "#241800" },
    },
    {
      id: "incidents",
      type: "symbol",
      source: "incidents",
      layout: {
        "icon-image": ["concat", "incident-", ["get", "urgency"]],
        "icon-size": ["case", ["get", "chosen"], 1.3, 0.95],
        "icon-allow-overlap": true,
        "symbol-sort-key": ["get", "order"],
        "text-field": ["case", ["get", "chosen"], ["get", "title"], ""],
        "text-font": FONT,
        "text-size": 13,
        "text-offset": [0, 1.5],
        "text-anchor": "top",
        "text-optional": true,
      },
      paint: { "text-color": p.label, "text-halo-color": p.labelHalo, "text-halo-width": 2 },
    },
  ];
}
