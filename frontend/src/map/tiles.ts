/** The base map of a real city as vector tiles: one PMTiles file from our own server, read in ranges. */

import { addProtocol, type LayerSpecification, type Map as MapLibreMap } from "maplibre-gl";
import { Protocol } from "pmtiles";
import type { Theme } from "../state/settings.svelte";
import { FONT } from "./style";

const SOURCE = "tiles";
let known = false;

interface Inks {
  land: string;
  wood: string;
  grass: string;
  pitch: string;
  water: string;
  building: string;
  buildingLine: string;
  case: string;
  motorway: string;
  primary: string;
  secondary: string;
  street: string;
  path: string;
  rail: string;
  border: string;
  label: string;
  labelWater: string;
  labelPark: string;
  labelPlace: string;
  labelDistrict: string;
  halo: string;
}

/** By day as printed city plans are; on a dark wall so quiet that only what moves is bright. */
const INKS: Record<Theme, Inks> = {
  dark: {
    land: "#101826",
    wood: "#12261f",
    grass: "#152a22",
    pitch: "#1a3428",
    water: "#12324e",
    building: "#1d2a3c",
    buildingLine: "#2f4059",
    case: "#0a101a",
    motorway: "#7d6b45",
    primary: "#5c6f8c",
    secondary: "#485b77",
    street: "#33435b",
    path: "#3b4c63",
    rail: "#596a80",
    border: "#5b7395",
    label: "#cfdbe9",
    labelWater: "#86b6dc",
    labelPark: "#8fc3a0",
    labelPlace: "#b9c7d8",
    labelDistrict: "#e4ecf5",
    halo: "#0a0f17",
  },
  light: {
    land: "#f4f6f9",
    wood: "#cfe5d2",
    grass: "#dceedd",
    pitch: "#c9e6d6",
    water: "#b3d4ee",
    building: "#dfe4ec",
    buildingLine: "#bcc6d3",
    case: "#aebac8",
    motorway: "#f6cf86",
    primary: "#fbe3b0",
    secondary: "#fdf2d6",
    street: "#ffffff",
    path: "#b9a88c",
    rail: "#7c8797",
    border: "#6f8198",
    label: "#1d2a3a",
    labelWater: "#1c5a8c",
    labelPark: "#26603a",
    labelPlace: "#3a4656",
    labelDistrict: "#16202c",
    halo: "#ffffff",
  },
};

const CLASS = ["get", "class"];

function isClass(...names: string[]): never {
  return ["in", CLASS, ["literal", names]] as never;
}

/** Width in pixels by class: motorways widest, paths a hair. */
function width(extra: number): never {
  const by = (motorway: number, primary: number, secondary: number, street: number, small: number) => [
    "match", CLASS,
    ["motorway", "trunk"], motorway + extra,
    "primary", primary + extra,
    ["secondary", "tertiary"], secondary + extra,
    "street", street + extra,
    small + extra / 2,
  ];
  return ["interpolate", ["exponential", 1.6], ["zoom"], 8, by(1.2, 0.9, 0.5, 0.2, 0.1), 12, by(2.6, 2.1, 1.4, 0.7, 0.4), 15, by(8, 7, 5.5, 3.6, 1.6), 18, by(26, 24, 20, 14, 5)] as never;
}

function roadInk(p: Inks): never {
  return ["match", CLASS, ["motorway", "trunk"], p.motorway, "primary", p.primary, ["secondary", "tertiary"], p.secondary, p.street] as never;
}

const NAMED = ["!=", ["coalesce", ["get", "name"], ""], ""];

function layer(id: string, type: string, from: string, more: Record<string, unknown>): LayerSpecification {
  return { id: `tiles-${id}`, type, source: SOURCE, "source-layer": from, ...more } as LayerSpecification;
}

function ground(p: Inks): LayerSpecification[] {
  const round = { "line-cap": "round", "line-join": "round" };
  const drive = ["all", ["!", isClass("path", "rail")]] as never;
  return [
    layer("land", "fill", "boundary", { paint: { "fill-color": p.land } }),
    layer("parks", "fill", "park", {
      paint: { "fill-color": ["match", CLASS, "wood", p.wood, "pitch", p.pitch, p.grass] },
    }),
    layer("water", "fill", "water", { filter: ["==", ["geometry-type"], "Polygon"], paint: { "fill-color": p.water } }),
    layer("rivers", "line", "water", {
      filter: ["==", ["geometry-type"], "LineString"],
      layout: round,
      paint: {
        "line-color": p.water,
        "line-width": ["interpolate", ["exponential", 1.4], ["zoom"], 9, ["match", CLASS, "river", 1.2, 0.3], 17, ["match", CLASS, "river", 12, 4]],
      },
    }),
    layer("buildings", "fill", "building", {
      minzoom: 13,
      paint: {
        "fill-color": p.building,
        "fill-outline-color": p.buildingLine,
        "fill-opacity": ["interpolate", ["linear"], ["zoom"], 13, 0.35, 15, 1],
      },
    }),
    layer("paths", "line", "road", {
      minzoom: 14,
      filter: isClass("path"),
      paint: { "line-color": p.path, "line-width": width(0), "line-dasharray": [2, 1.5] },
    }),
    layer("roads-case", "line", "road", { minzoom: 12, filter: drive, layout: round, paint: { "line-color": p.case, "line-width": width(1.8) } }),
    layer("roads", "line", "road", {
      filter: drive,
      layout: { ...round, "line-sort-key": ["-", 10, ["coalesce", ["get", "rank"], 0]] },
      paint: { "line-color": roadInk(p), "line-width": width(0) },
    }),
    layer("rails", "line", "road", {
      filter: isClass("rail"),
      paint: { "line-color": p.rail, "line-width": ["interpolate", ["linear"], ["zoom"], 10, 0.8, 17, 2.6], "line-dasharray": [3, 2] },
    }),
    layer("borders", "line", "boundary", { paint: { "line-color": p.border, "line-width": 1.2, "line-dasharray": [4, 2] } }),
  ];
}

function text(field: unknown, size: unknown, more: Record<string, unknown> = {}): Record<string, unknown> {
  return { "text-field": field, "text-font": FONT, "text-size": size, "text-max-width": 7, ...more };
}

function ink(colour: unknown, halo: string, wide = 1.6): Record<string, unknown> {
  return { "text-color": colour, "text-halo-color": halo, "text-halo-width": wide };
}

function labels(p: Inks): LayerSpecification[] {
  const name = ["get", "name"];
  return [
    layer("building-names", "symbol", "building", {
      minzoom: 16.5,
      filter: NAMED,
      layout: text(name, 11),
      paint: ink(p.labelPlace, p.halo),
    }),
    layer("road-names", "symbol", "road", {
      minzoom: 12.5,
      filter: ["all", NAMED, ["<=", ["coalesce", ["get", "rank"], 0], ["step", ["zoom"], 1, 14, 2, 15, 3, 16, 9]]],
      layout: text(name, ["interpolate", ["linear"], ["zoom"], 13, 11, 17, 13], { "symbol-placement": "line", "symbol-spacing": 300 }),
      paint: ink(p.label, p.halo),
    }),
    layer("river-names", "symbol", "water", {
      minzoom: 12,
      filter: ["all", NAMED, ["==", ["geometry-type"], "LineString"]],
      layout: text(name, 12, { "symbol-placement": "line" }),
      paint: ink(p.labelWater, p.halo),
    }),
    layer("lake-names", "symbol", "water", {
      minzoom: 12,
      filter: ["all", NAMED, ["==", ["geometry-type"], "Polygon"]],
      layout: text(name, 12),
      paint: ink(p.labelWater, p.halo),
    }),
    layer("park-names", "symbol", "park", { minzoom: 14, filter: NAMED, layout: text(name, 12), paint: ink(p.labelPark, p.halo) }),
    layer("place-names", "symbol", "label", {
      filter: ["all", ["!=", CLASS, "district"], ["<=", ["coalesce", ["get", "rank"], 0], ["step", ["zoom"], 0, 13, 1, 15, 2, 16, 9]]],
      layout: text(name, ["interpolate", ["linear"], ["zoom"], 9, 12, 16, 13], {
        "symbol-sort-key": ["coalesce", ["get", "rank"], 0],
        "text-variable-anchor": ["top", "bottom", "left", "right"],
        "text-radial-offset": 0.7,
        "text-justify": "auto",
      }),
      paint: ink(p.labelPlace, p.halo),
    }),
    layer("district-names", "symbol", "label", {
      filter: ["==", CLASS, "district"],
      maxzoom: 16.5,
      layout: text(name, ["interpolate", ["linear"], ["zoom"], 10, 12, 15, 17], { "text-letter-spacing": 0.05 }),
      paint: ink(p.labelDistrict, p.halo, 2),
    }),
  ];
}

/** Every layer drawn from tiles; ground first, names after. */
export function tileLayers(theme: Theme): { ground: LayerSpecification[]; labels: LayerSpecification[] } {
  return { ground: ground(INKS[theme]), labels: labels(INKS[theme]) };
}

/** Puts the tiles under what the map shows already: ground before its first ground layer, names below what stands on it. */
export function addTiles(map: MapLibreMap, url: string, theme: Theme): void {
  if (!known) {
    addProtocol("pmtiles", new Protocol().tile);
    known = true;
  }
  map.addSource(SOURCE, { type: "vector", url: `pmtiles://${new URL(url, location.href).href}` });
  const layers = tileLayers(theme);
  for (const one of layers.ground) map.addLayer(one, map.getLayer("parks") ? "parks" : undefined);
  const above = ["cameras", "labels"].find((id) => map.getLayer(id));
  for (const one of layers.labels) map.addLayer(one, above);
}

/** Repaints the tiles in another theme, if they are there. */
export function paintTiles(map: MapLibreMap, theme: Theme): void {
  const { ground: below, labels: above } = tileLayers(theme);
  for (const one of [...below, ...above]) {
    if (!map.getLayer(one.id)) continue;
    for (const [property, value] of Object.entries(one.paint ?? {})) map.setPaintProperty(one.id, property as never, value as never);
  }
}
