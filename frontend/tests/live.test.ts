import { describe, expect, it } from "vitest";
import type { Grant, Incident, Snapshot } from "../src/api/types";
import { EMPTY, evolve, fromSnapshot, newEmergencies, type Change } from "../src/live/live";
import { EventReader } from "../src/live/sse";
import { backoffMs } from "../src/live/stream";

function incident(id: string, part: Partial<Incident> = {}): Incident {
  return {
    id,
    number: `2026-${id}`,
    version: 1,
    mode: "simulated",
    authority: "48250",
    source: "police112",
    agency: null,
    call_no: null,
    class_code: "assault",
    class_ko: "폭행",
    class_en: "Assault",
    priority: 2,
    state: "NEW",
    place: { state: "located", lon: 128.9, lat: 35.2, accuracy_m: 20, address: null, district: null },
    candidates: [],
    owner: null,
    opened_at: "2026-11-22T05:00:00Z",
    updated_at: "2026-11-22T05:00:00Z",
    closed_at: null,
    note: null,
    cameras_offered: 0,
    pending_grants: 0,
    ...part,
  };
}

function snapshot(part: Partial<Snapshot> = {}): Snapshot {
  return {
    cursor: 10,
    incidents: [],
    grants: [],
    tasks: [],
    links: [],
    feeds: [],
    counters: { dead_letters: 0, rejects: 0, alarms: 0 },
    now: "2026-11-22T05:00:00Z",
    ...part,
  };
}

function change(seq: number, kind: Change["kind"], ref: string, row: unknown, op: Change["op"] = "upsert"): Change {
  return { seq: String(seq), kind, ref, op, row };
}

describe("the live state", () => {
  it("equals a fresh snapshot after the changes in between", () => {
    const [a, b] = [incident("a"), incident("b")];
    const before = fromSnapshot(snapshot({ incidents: [a, b] }));
    const moved = incident("a", { version: 2, state: "ACTIVE" });
    const born = incident("c", { priority: 0 });
    const feed = { name: "air", kind: "mqtt", last_at: null, stale_after_s: 60, count: 3, rejects: 0 };
    const after = evolve(before, [
      change(11, "incident", "a", moved),
      change(12, "incident", "b", null, "remove"),
      change(13, "incident", "c", born),
      change(14, "feed", "air", feed),
      change(15, "counters", "counters", { dead_letters: 4, rejects: 0, alarms: 1 }),
    ]);
    const fresh = fromSnapshot(
      snapshot({
        cursor: 15,
        incidents: [moved, born],
        feeds: [feed],
        counters: { dead_letters: 4, rejects: 0, alarms: 1 },
      }),
    );
    expect(after).toEqual(fresh);
  });

  it("applies the same changes twice without a difference", () => {
    const before = fromSnapshot(snapshot({ incidents: [incident("a")] }));
    const changes = [change(11, "incident", "a", incident("a", { version: 3 })), change(12, "incident", "x", null, "remove")];
    const once = evolve(before, changes);
    expect(evolve(once, changes)).toEqual(once);
  });

  it("keeps the newer row when a command's answer overtakes its own event", () => {
    const before = fromSnapshot(snapshot({ incidents: [incident("a", { version: 5, state: "ACTIVE" })] }));
    const after = evolve(before, [change(11, "incident", "a", incident("a", { version: 4, state: "VERIFYING" }))]);
    expect(after.incidents.get("a")?.state).toBe("ACTIVE");
  });

  it("leaves tables alone that no change touches, so that nothing redraws for them", () => {
    const before = fromSnapshot(snapshot({ incidents: [incident("a")] }));
    const after = evolve(before, [change(11, "grant", "g", { id: "g", version: 1 } as Grant)]);
    expect(after.incidents).toBe(before.incidents);
    expect(after.grants).not.toBe(before.grants);
    expect(before.grants.size).toBe(0);
  });

  it("ignores kinds it does not know and keeps counters that may be hidden", () => {
    const after = evolve(EMPTY, [
      change(1, "weather" as Change["kind"], "x", { id: "x" }),
      change(2, "counters", "c", { dead_letters: null, rejects: null, alarms: null }),
    ]);
    expect(after.incidents.size).toBe(0);
    expect(after.counters.dead_letters).toBeNull();
  });

  it("names only emergencies that are new and not yet taken up", () => {
    const before = fromSnapshot(snapshot({ incidents: [incident("old", { priority: 0 })] }));
    const after = evolve(before, [
      change(11, "incident", "urgent", incident("urgent", { priority: 1 })),
      change(12, "incident", "minor", incident("minor", { priority: 3 })),
      change(13, "incident", "taken", incident("taken", { priority: 0, state: "ACTIVE" })),
      change(14, "incident", "old", incident("old", { priority: 0, version: 2 })),
    ]);
    expect(newEmergencies(before, after).map((row) => row.id)).toEqual(["urgent"]);
    expect(newEmergencies(after, after)).toEqual([]);
  });
});

describe("the event reader", () => {
  it("reads events however the bytes are cut", () => {
    const text = ': hello\nid: 7\nevent: change\ndata: {"a":\ndata: 1}\n\nevent: reset\ndata: {}\n\n';
    for (let cut = 0; cut <= text.length; cut += 1) {
      const reader = new EventReader();
      const events = [...reader.push(text.slice(0, cut)), ...reader.push(text.slice(cut))];
      expect(events).toEqual([
        { id: "7", event: "change", data: '{"a":\n1}' },
        { id: "7", event: "reset", data: "{}" },
      ]);
    }
  });

  it("counts keep-alive comments as life and gives no event for them", () => {
    const reader = new EventReader();
    expect(reader.push(": keep-alive\n\n")).toEqual([]);
    expect(reader.heard).toBe(2);
  });

  it("reads carriage returns too", () => {
    expect(new EventReader().push("data: x\r\n\r\n")).toEqual([{ id: null, event: "message", data: "x" }]);
  });
});

describe("reconnecting", () => {
  it("waits longer each time, within bounds", () => {
    const waits = [0, 1, 2, 3, 4, 5, 6, 20].map((attempt) => backoffMs(attempt, 0.5));
    expect([...waits].sort((a, b) => a - b)).toEqual(waits);
    expect(waits[0]).toBeGreaterThanOrEqual(300);
    expect(backoffMs(99, 1)).toBeLessThanOrEqual(12_500);
  });
});
