import { describe, expect, it } from "vitest";
import { BEHIND_S, closingOf, MAX_LATENCY_S, mimeOf, renewInMs, retryMs, steer } from "../src/video/buffering";
import { catchOf, hang, type Tile } from "../src/video/net";
import type { RankedCamera } from "../src/api/types";

describe("the play head", () => {
  it("stays where it is near the live edge", () => {
    expect(steer({ at: 9.7, start: 5, end: 10 })).toEqual({ seekTo: null, rate: 1, dropBefore: null });
  });

  it("starts at the live edge, not a second behind it", () => {
    expect(steer({ at: 9, start: 9, end: 10 }, false).seekTo).toBeCloseTo(10 - BEHIND_S);
    expect(steer({ at: 9, start: 9, end: 10 }, true).seekTo).toBeNull();
  });

  it("plays a little faster to close a small gap", () => {
    const steering = steer({ at: 8.8, start: 5, end: 10 });
    expect(steering.seekTo).toBeNull();
    expect(steering.rate).toBeGreaterThan(1);
  });

  it("jumps to the live edge when it is later than the limit", () => {
    const steering = steer({ at: 10 - MAX_LATENCY_S - 0.1, start: 5, end: 10 });
    expect(steering.seekTo).toBeCloseTo(10 - BEHIND_S);
  });

  it("jumps into a buffer that starts after it, and never before that buffer's start", () => {
    expect(steer({ at: 0, start: 100, end: 100.1 }).seekTo).toBe(100);
  });

  it("drops what was seen long ago and keeps what is near", () => {
    const steering = steer({ at: 60, start: 10, end: 60.3 });
    expect(steering.dropBefore).toBeGreaterThan(10);
    expect(steering.dropBefore).toBeLessThan(60);
  });
});

describe("a closed view", () => {
  it("is over when its grant ended, and says so in Korean", () => {
    expect(closingOf(4403).verdict).toBe("ended");
    expect(closingOf(4403).ko).toContain("승인");
  });

  it("is not tried again for a codec the browser cannot play", () => {
    expect(closingOf(4415).verdict).toBe("unsupported");
  });

  it("is tried again when the network, the camera or the core went away", () => {
    for (const code of [1006, 1001, 4408, 4429, 4503, 4504]) expect(closingOf(code).verdict).toBe("again");
  });

  it("waits longer for a camera that does not answer than for a cut line", () => {
    expect(retryMs(0, 4503, 0.5)).toBeGreaterThan(retryMs(0, 1006, 0.5));
    expect(retryMs(50, 4503, 1)).toBeLessThan(18_001);
  });
});

describe("a lease", () => {
  it("is renewed when the server says, within sane bounds", () => {
    expect(renewInMs(10)).toBe(10_000);
    expect(renewInMs(0)).toBe(1_000);
    expect(renewInMs(NaN)).toBe(10_000);
    expect(mimeOf("avc1.42c01f")).toBe('video/mp4; codecs="avc1.42c01f"');
  });
});

function camera(id: string, sees: RankedCamera["sees"], health: RankedCamera["health"] = "ok"): RankedCamera {
  return {
    id,
    label: id,
    site_id: id,
    lon: 0,
    lat: 0,
    azimuth_deg: 0,
    hfov_deg: 60,
    range_m: 50,
    distance_m: 10,
    bearing_deg: 0,
    sees,
    dori: null,
    health,
    health_at: null,
    purpose: "",
    ptz: false,
    score: 0,
    grant_id: null,
    reasons: [],
  };
}

function tile(id: string): Tile {
  return { key: id, cameraId: id, label: id, grantId: null, incidentId: null, incidentNumber: null, distanceM: null };
}

describe("throwing the net", () => {
  it("takes working cameras that see the place first, else the server's order", () => {
    const found = [camera("a", "no"), camera("b", "unknown"), camera("c", "yes", "offline"), camera("d", "yes"), camera("e", "yes")];
    expect(catchOf(found, 3).map((row) => row.id)).toEqual(["d", "e", "b"]);
  });

  it("grows the wall to what is needed and never past nine", () => {
    expect(hang([], [tile("a")], 1).layout).toBe(1);
    expect(hang([tile("a")], [tile("b")], 1).layout).toBe(4);
    const many = Array.from({ length: 12 }, (_, index) => tile(`t${index}`));
    const hung = hang([], many, 4);
    expect(hung.layout).toBe(9);
    expect(hung.tiles).toHaveLength(9);
    expect(hung.dropped.map((row) => row.cameraId)).toEqual(["t0", "t1", "t2"]);
  });

  it("leaves a camera that is already shown where it is", () => {
    const shown = tile("a");
    expect(hang([shown], [{ ...tile("a"), key: "other" }], 4).tiles).toEqual([shown]);
  });
});
