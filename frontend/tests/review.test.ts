import { describe, expect, it } from "vitest";
import { figureText, lengthText, nameOf, sceneAt, shareText, withNames } from "../src/review/said";

describe("a report read on screen", () => {
  it("shows names where they are known and codes where they are not", () => {
    expect(withNames("[P1]가 [P2]에게", { P1: "김관제" })).toBe("김관제가 P2에게");
    expect(nameOf("", {})).toBe("–");
  });

  it("keeps what is unknown unknown", () => {
    expect([lengthText(null, "ko"), shareText(null), figureText(null)]).toEqual([null, null, null]);
    expect([lengthText(12.34, "ko"), lengthText(200, "ko"), lengthText(-5, "en"), lengthText(7_500, "ko")]).toEqual(["12.3초", "3분 20초", "−5.0 s", "2시간 5분"]);
    expect([shareText(0), shareText(0.012), shareText(1)]).toEqual(["0 %", "1.2 %", "100 %"]);
  });

  it("puts on the map only what had happened by then", () => {
    const at = (s: number): string => new Date(s * 1000).toISOString();
    const told = {
      timeline: [{ at: at(0) }, { at: at(10) }, { at: at(30) }],
      signals: { events: [{ first_at: at(5) }] },
      cameras: [{ id: "a" }, { id: "b" }],
      views: [{ camera_id: "a", started_at: at(10), ended_at: at(20) }, { camera_id: "b", started_at: at(10), ended_at: null }],
    };
    expect(sceneAt(told, 0)).toEqual({ line: 0, events: [false], cameras: ["before", "before"] });
    expect(sceneAt(told, 10_000)).toEqual({ line: 1, events: [true], cameras: ["now", "now"] });
    expect(sceneAt(told, 30_000)).toEqual({ line: 2, events: [true], cameras: ["after", "now"] });
  });
});
