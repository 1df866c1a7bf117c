/** Rows as map features. Pure. */

import type { Incident, MapCamera, RankedCamera } from "../api/types";
import { isOpen, urgencyOf } from "../queue/order";
import { BADNESS, circle, viewOf } from "./geo";

type Collection = GeoJSON.FeatureCollection;
type Feature = GeoJSON.Feature;

export function collection(features: Feature[]): Collection {
  return { type: "FeatureCollection", features };
}

function point(lon: number, lat: number, properties: Record<string, unknown>): Feature {
  return { type: "Feature", geometry: { type: "Point", coordinates: [lon, lat] }, properties };
}

function polygon(ring: [number, number][], properties: Record<string, unknown>): Feature {
  return { type: "Feature", geometry: { type: "Polygon", coordinates: [ring] }, properties };
}

export function cameraFeatures(cameras: readonly MapCamera[]): Collection {
  return collection(
    cameras.map((row) =>
      point(row.lon, row.lat, { id: row.id, label: row.label, health: row.health, bad: BADNESS[row.health] }),
    ),
  );
}

export function clusterFeatures(clusters: readonly { lon: number; lat: number; count: number; worst: string }[]): Collection {
  return collection(
    clusters.map((row) =>
      point(row.lon, row.lat, { count: row.count, bad: BADNESS[row.worst as keyof typeof BADNESS] ?? BADNESS.unknown }),
    ),
  );
}

/** View sectors: of the chosen incident's cameras, and of every camera in sight when the map is close enough. */
export function viewFeatures(ranked: readonly RankedCamera[], near: readonly MapCamera[]): Collection {
  const chosen = new Set(ranked.map((row) => row.id));
  const feature = (row: Parameters<typeof viewOf>[0], isChosen: boolean): Feature => {
    const view = viewOf(row);
    return polygon(view.ring, { known: view.known, chosen: isChosen });
  };
  return collection([
    ...near.filter((row) => !chosen.has(row.id)).map((row) => feature(row, false)),
    ...ranked.map((row) => feature(row, true)),
  ]);
}

/** One sign a pole with the ranks of its cameras. */
export function rankedFeatures(ranked: readonly RankedCamera[]): Collection {
  const poles = new Map<string, { row: RankedCamera; ranks: number[] }>();
  ranked.forEach((row, index) => {
    const key = `${row.lon.toFixed(5)},${row.lat.toFixed(5)}`;
    const pole = poles.get(key);
    if (pole) pole.ranks.push(index + 1);
    else poles.set(key, { row, ranks: [index + 1] });
  });
  return collection([...poles.values()].map(({ row, ranks }) => point(row.lon, row.lat, { id: row.id, ranks: ranks.join("·") })));
}

export function incidentFeatures(incidents: Iterable<Incident>, chosenId: string | null, title: (row: Incident) => string): Collection {
  const shown = [...incidents].filter((row) => row.place.lon !== null && (isOpen(row) || row.id === chosenId));
  return collection(
    shown.map((row) =>
      point(row.place.lon ?? 0, row.place.lat ?? 0, {
        id: row.id,
        urgency: isOpen(row) ? urgencyOf(row.priority) : "over",
        chosen: row.id === chosenId,
        order: row.id === chosenId ? 100 : 10 - row.priority,
        title: title(row),
      }),
    ),
  );
}

/** Where an unlocated incident may be, numbered as in its panel. */
export function candidateFeatures(incident: Incident | null): Collection {
  if (incident?.place.state !== "unlocated") return collection([]);
  return collection(incident.candidates.map((row, index) => point(row.lon, row.lat, { rank: index + 1, label: row.label })));
}

export function accuracyFeature(incident: Incident | null): Collection {
  const place = incident?.place;
  if (!place || place.lon === null || place.lat === null || !place.accuracy_m) return collection([]);
  return collection([polygon(circle(place.lon, place.lat, place.accuracy_m), {})]);
}
