/** The map's signs, drawn here: shape carries the meaning, colour repeats it. */

import type { Map as MapLibreMap } from "maplibre-gl";
import type { Health } from "../api/types";
import type { Theme } from "../state/settings.svelte";

const SCALE = 2;

interface Tones {
  ok: string;
  degraded: string;
  offline: string;
  unknown: string;
  emergency: string;
  caution: string;
  notice: string;
  sheet: string;
  edge: string;
}

const TONES: Record<Theme, Tones> = {
  dark: {
    ok: "#5fd6a0",
    degraded: "#f7c04f",
    offline: "#ff8177",
    unknown: "#97a5b6",
    emergency: "#ff5a4d",
    caution: "#f7c04f",
    notice: "#79bdff",
    sheet: "#131c2a",
    edge: "#05080d",
  },
  light: {
    ok: "#12804c",
    degraded: "#9a6400",
    offline: "#c01a10",
    unknown: "#66768a",
    emergency: "#c8160b",
    caution: "#b87700",
    notice: "#0a58a8",
    sheet: "#ffffff",
    edge: "#ffffff",
  },
};

/** A pill that stretches in the middle: a pole may carry several ranked cameras. */
const RANK_FIT = {
  pixelRatio: SCALE,
  stretchX: [[11 * SCALE, 13 * SCALE]] as [number, number][],
  stretchY: [[11 * SCALE, 13 * SCALE]] as [number, number][],
  content: [6 * SCALE, 5 * SCALE, 18 * SCALE, 19 * SCALE] as [number, number, number, number],
};

type Draw = (pen: CanvasRenderingContext2D) => void;

/** Put every sign on the map, or repaint them for another theme. */
export function putIcons(map: MapLibreMap, theme: Theme): void {
  for (const [name, [size, draw]] of Object.entries(signs(TONES[theme]))) {
    const image = drawn(size, draw);
    if (map.hasImage(name)) map.updateImage(name, image);
    else map.addImage(name, image, { pixelRatio: SCALE });
  }
  if (!map.hasImage("ranked")) map.addImage("ranked", drawn(24, rank), RANK_FIT);
}

function signs(tones: Tones): Record<string, [number, Draw]> {
  const all: Record<string, [number, Draw]> = {
    candidate: [30, (pen) => poly(pen, [[3, 3], [27, 3], [27, 27], [3, 27]], "#f7c04f", "#241800")],
    "incident-emergency": [34, (pen) => poly(pen, [[17, 3], [32, 30], [2, 30]], tones.emergency, tones.edge)],
    "incident-caution": [34, (pen) => poly(pen, [[17, 2], [32, 17], [17, 32], [2, 17]], tones.caution, tones.edge)],
    "incident-notice": [34, (pen) => disc(pen, 17, 13, tones.notice, tones.edge)],
    "incident-over": [34, (pen) => disc(pen, 17, 8, tones.unknown, tones.edge)],
  };
  (["ok", "unknown", "degraded", "offline"] as const).forEach((health, bad) => {
    all[`camera-${health}`] = [26, (pen) => camera(pen, health, tones)];
    all[`cluster-${bad}`] = [44, (pen) => cluster(pen, health, tones)];
  });
  return all;
}

function drawn(size: number, draw: Draw): ImageData {
  const canvas = new OffscreenCanvas(size * SCALE, size * SCALE);
  const pen = canvas.getContext("2d") as unknown as CanvasRenderingContext2D;
  pen.scale(SCALE, SCALE);
  draw(pen);
  return pen.getImageData(0, 0, size * SCALE, size * SCALE);
}

function rank(pen: CanvasRenderingContext2D): void {
  pen.beginPath();
  pen.roundRect(1, 1, 22, 22, 11);
  finish(pen, "#8cc8ff", "#05203a");
}

function disc(pen: CanvasRenderingContext2D, at: number, radius: number, fill: string, edge: string): void {
  pen.beginPath();
  pen.arc(at, at, radius, 0, Math.PI * 2);
  finish(pen, fill, edge);
}

function poly(pen: CanvasRenderingContext2D, points: [number, number][], fill: string, edge: string): void {
  pen.beginPath();
  points.forEach(([x, y], index) => (index === 0 ? pen.moveTo(x, y) : pen.lineTo(x, y)));
  pen.closePath();
  finish(pen, fill, edge);
}

function finish(pen: CanvasRenderingContext2D, fill: string, edge: string): void {
  pen.fillStyle = fill;
  pen.fill();
  pen.strokeStyle = edge;
  pen.lineWidth = 2;
  pen.lineJoin = "round";
  pen.stroke();
}

/** A camera body with its state as a badge: ● works, ◆ degraded, ✕ offline, ○ unknown. */
function camera(pen: CanvasRenderingContext2D, health: Health, tones: Tones): void {
  pen.beginPath();
  pen.roundRect(3, 8, 13, 10, 2.5);
  finish(pen, tones.sheet, tones[health]);
  poly(pen, [[16, 11.5], [22, 8.5], [22, 17.5], [16, 14.5]], tones.sheet, tones[health]);
  badge(pen, 8, 19, health, tones, 4.2);
}

function cluster(pen: CanvasRenderingContext2D, worst: Health, tones: Tones): void {
  disc(pen, 22, 17, tones.sheet, tones[worst]);
  badge(pen, 34, 9, worst, tones, 6);
}

function badge(pen: CanvasRenderingContext2D, x: number, y: number, health: Health, tones: Tones, r: number): void {
  const tone = tones[health];
  pen.beginPath();
  if (health === "degraded") {
    pen.moveTo(x, y - r - 1);
    pen.lineTo(x + r + 1, y);
    pen.lineTo(x, y + r + 1);
    pen.lineTo(x - r - 1, y);
    pen.closePath();
  } else {
    pen.arc(x, y, r, 0, Math.PI * 2);
  }
  pen.fillStyle = health === "unknown" ? tones.sheet : tone;
  pen.fill();
  pen.strokeStyle = health === "unknown" ? tone : tones.edge;
  pen.lineWidth = 1.5;
  pen.stroke();
  if (health === "offline") cross(pen, x, y, r * 0.45, tones.edge);
}

function cross(pen: CanvasRenderingContext2D, x: number, y: number, r: number, ink: string): void {
  pen.beginPath();
  pen.moveTo(x - r, y - r);
  pen.lineTo(x + r, y + r);
  pen.moveTo(x + r, y - r);
  pen.lineTo(x - r, y + r);
  pen.strokeStyle = ink;
  pen.lineWidth = 1.8;
  pen.stroke();
}
