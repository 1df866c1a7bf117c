import { describe, expect, it } from "vitest";
import type { Tile } from "../src/video/net";
import { layoutOf, saidOf, tilesFor, toldOf } from "../src/wall/said";

const tile = (cameraId: string, grantId: string | null = "g"): Tile => ({
  key: `desk-${cameraId}`,
  cameraId,
  label: cameraId,
  grantId,
  incidentId: "i",
  incidentNumber: "2026-1",
  distanceM: 12,
});
const said = (...tiles: Tile[]) => ({ person: "person:1", authority: "a", incident_id: "i", tiles: tiles.map(toldOf), enlarged: "" });

describe("what a desk tells its wall", () => {
  it("arrives whole", () => {
    const heard = saidOf(JSON.parse(JSON.stringify(said(tile("c1")))));
    expect(heard).toEqual({ ...said(tile("c1")), enlarged: null });
  });

  it("is not believed when it is not whole", () => {
    for (const given of [null, "hello", {}, { person: 1, authority: "a", tiles: [] }, { person: "p", authority: "a" }]) expect(saidOf(given)).toBeNull();
    expect(saidOf({ person: "p", authority: "a", tiles: [null, {}, { camera_id: "", label: "x" }, ...Array(20).fill(toldOf(tile("c")))] })?.tiles.length).toBe(9);
  });

  it("starts no picture anew that is shown already, unless its grant changed", () => {
    const shown = [tile("c1"), tile("c2")];
    const next = tilesFor(shown, [tile("c2"), tile("c1", "other"), tile("c3")].map(toldOf), (camera) => `new-${camera}`);
    expect(next.map((one) => one.key)).toEqual(["desk-c2", "new-c1", "new-c3"]);
    expect(next[1]?.grantId).toBe("other");
  });

  it("has a layout whatever the address says", () => {
    expect([layoutOf("map"), layoutOf("nonsense"), layoutOf(null)]).toEqual(["map", "full", "full"]);
  });
});
