import { describe, expect, it } from "vitest";
import type { Incident, Task } from "../src/api/types";
import { mainMove, movesFor } from "../src/incident/moves";
import { camerasOf, circle, cut, fetchBox, healthOfBadness, holds, offset, sector, viewOf } from "../src/map/geo";
import { styleFor } from "../src/map/style";
import { select, urgencyOf } from "../src/queue/order";

function row(id: string, part: Partial<Incident>): Incident {
  return {
    id,
    priority: 2,
    state: "NEW",
    opened_at: "2026-11-22T05:00:00Z",
    updated_at: "2026-11-22T05:00:00Z",
    closed_at: null,
    owner: null,
    pending_grants: 0,
    place: { state: "located", lon: 1, lat: 1, accuracy_m: null, address: null, district: null },
    ...part,
  } as Incident;
}

const NO_TASKS: ReadonlyMap<string, Task> = new Map();

describe("the queue", () => {
  const rows = [
    row("old", { priority: 1, opened_at: "2026-11-22T04:00:00Z" }),
    row("new", { priority: 1, opened_at: "2026-11-22T05:00:00Z" }),
    row("working", { priority: 1, state: "ACTIVE", owner: { id: "me", name: "나" } }),
    row("minor", { priority: 3, pending_grants: 1 }),
    row("lost", { priority: 3, place: { state: "unlocated", lon: null, lat: null, accuracy_m: null, address: null, district: null } }),
    row("over", { priority: 0, state: "CLOSED", closed_at: "2026-11-22T05:00:00Z" }),
  ];

  it("puts the most urgent first, then what nobody took up, then the newest", () => {
    expect(select(rows, "open", "me", NO_TASKS).map((r) => r.id)).toEqual(["new", "old", "working", "minor", "lost"]);
  });

  it("filters by what an operator asks for", () => {
    expect(select(rows, "emergency", "me", NO_TASKS).map((r) => r.id)).toEqual(["new", "old", "working"]);
    expect(select(rows, "mine", "me", NO_TASKS).map((r) => r.id)).toEqual(["working"]);
    expect(select(rows, "closed", "me", NO_TASKS).map((r) => r.id)).toEqual(["over"]);
    expect(select(rows, "todo", "me", NO_TASKS).map((r) => r.id).sort()).toEqual(["lost", "minor"]);
  });

  it("asks nobody to find the place of what happens nowhere", () => {
    const silent = row("link", { source: "system", place: { state: "unlocated", lon: null, lat: null, accuracy_m: null, address: null, district: null } });
    expect(select([silent], "todo", "", NO_TASKS)).toEqual([]);
  });

  it("counts an open task as something to do, a done one not", () => {
    const task = (state: string): Task =>
      ({ id: "t", kind: "attend", incident_id: "new", state, incident_number: "", due_at: null, text_ko: "", text_en: "" });
    expect(select(rows, "todo", "", new Map([["t", task("open")]])).map((r) => r.id)).toContain("new");
    expect(select(rows, "todo", "", new Map([["t", task("done")]])).map((r) => r.id)).not.toContain("new");
  });

  it("names urgency by priority", () => {
    expect([0, 1, 2, 3, 4].map(urgencyOf)).toEqual(["emergency", "emergency", "caution", "notice", "notice"]);
  });
});

describe("moves", () => {
  it("do not offer claiming what one already holds", () => {
    const mine = { state: "ACTIVE" as const, owner: { id: "me", name: "나" } };
    expect(movesFor(mine, "me").map((m) => m.action)).not.toContain("claim");
    expect(movesFor(mine, "you").map((m) => m.action)).toContain("claim");
  });

  it("ask for a reason where the rules do", () => {
    const needed = (state: Incident["state"], action: string) =>
      movesFor({ state, owner: null }, "").find((m) => m.action === action)?.reason;
    expect(needed("NEW", "dismiss")).toBe("required");
    expect(needed("CLOSED", "reopen")).toBe("required");
    expect(needed("NEW", "verify")).toBe("none");
  });

  it("suggest the step that usually comes next", () => {
    expect(mainMove({ state: "NEW", owner: null })).toBe("claim");
    expect(mainMove({ state: "REVIEWED", owner: null })).toBeNull();
  });
});

describe("shapes on the map", () => {
  const metres = (from: [number, number], to: [number, number]): number => {
    const east = (to[0] - from[0]) * 111_320 * Math.cos((from[1] * Math.PI) / 180);
    return Math.hypot(east, (to[1] - from[1]) * 111_320);
  };

  it("put a point where bearing and distance say", () => {
    const east = offset(128.9, 35.2, 90, 100);
    expect(east[1]).toBeCloseTo(35.2, 9);
    expect(metres([128.9, 35.2], east)).toBeCloseTo(100, 3);
  });

  it("draw sectors and circles of the right size, closed", () => {
    const ring = sector(128.9, 35.2, 45, 60, 80);
    expect(ring[0]).toEqual(ring.at(-1));
    for (const at of ring.slice(1, -1)) expect(metres([128.9, 35.2], at)).toBeCloseTo(80, 2);
    const round = circle(128.9, 35.2, 30);
    expect(metres(round[0] ?? [0, 0], round.at(-1) ?? [9, 9])).toBeLessThan(0.001);
  });

  it("never pretend to know a direction nobody surveyed", () => {
    const camera = { lon: 128.9, lat: 35.2, hfov_deg: 60, range_m: 50 };
    expect(viewOf({ ...camera, azimuth_deg: null }).known).toBe(false);
    expect(viewOf({ ...camera, azimuth_deg: 0 }).known).toBe(true);
  });

  it("cuts a view where a building stands in the way, and nowhere else", () => {
    const free = Array.from({ length: 120 }, (_, direction) => (direction < 10 ? 20 : null));
    const ring = cut(128.9, 35.2, circle(128.9, 35.2, 80), free);
    const metres = ring.map(([lon, lat]) => Math.hypot((lon - 128.9) * 111_320 * Math.cos((35.2 * Math.PI) / 180), (lat - 35.2) * 111_320));
    expect(Math.min(...metres)).toBeCloseTo(20, 0);
    expect(Math.max(...metres)).toBeCloseTo(80, 0);
    expect(metres.filter((each) => each < 21).length).toBeGreaterThan(8);
    expect(metres.filter((each) => each < 21).length).toBeLessThan(13);
  });

  it("read the camera table by column name, whatever the order and the additions", () => {
    const [camera] = camerasOf(["health", "extra", "id", "lat", "lon", "azimuth_deg"], [["odd", 1, "c", 35, 128, null]]);
    expect(camera).toMatchObject({ id: "c", lon: 128, lat: 35, azimuth_deg: null, health: "unknown" });
  });

  it("ask for a little more than is in sight, and know when that still holds", () => {
    const outer = fetchBox(128, 35, 129, 36);
    expect(holds(outer, [128, 35, 129, 36])).toBe(true);
    expect(holds(outer, [128, 35, 130, 36])).toBe(false);
    expect(healthOfBadness(3)).toBe("offline");
  });

  it("fetch nothing: the style names no tiles, sprites or glyphs", () => {
    for (const theme of ["dark", "light"] as const) {
      const style = styleFor(theme);
      expect(style.glyphs).toBeUndefined();
      expect(style.sprite).toBeUndefined();
      expect(JSON.stringify(style)).not.toMatch(/https?:/);
    }
  });
});
