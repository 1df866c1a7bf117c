import { describe, expect, it } from "vitest";
import { BEAT_EVERY_MS, isDue } from "../src/duty/beat";
import { entered, progress } from "../src/sop/words";
import type { SopStep } from "../src/sop/types";

const STEP: SopStep = {
  key: "a",
  stage: 1,
  ko: "확인",
  en: "",
  standing: "open",
  done_by_role: "anybody",
  mine: true,
  evidence: "none",
  options: [],
  due_at: null,
  overdue: false,
  done_at: null,
  done_by: "",
  value: "",
  note: "",
  still: "",
};

describe("signs of life", () => {
  it("are said at once, then no more often than their pace", () => {
    expect(isDue(-Infinity, 0)).toBe(true);
    expect(isDue(1_000, 1_000 + BEAT_EVERY_MS - 1)).toBe(false);
    expect(isDue(1_000, 1_000 + BEAT_EVERY_MS)).toBe(true);
  });

  it("go on when the clock is set back", () => {
    expect(isDue(1_000_000, 10)).toBe(true);
  });

  it("leave several tries before a claim is released after sixty seconds", () => {
    expect(60_000 / BEAT_EVERY_MS).toBeGreaterThanOrEqual(4);
  });
});

describe("a checklist's progress", () => {
  it("counts what is done or skipped, and not what fell away", () => {
    const steps = (["done", "skipped", "off", "open", "waiting"] as const).map((standing) => ({ ...STEP, standing }));
    expect(progress(steps)).toEqual({ done: 2, all: 4 });
  });

  it("shows answer, note and picture in one line", () => {
    expect(entered({ ...STEP, value: "불꽃", still: "still-7" })).toBe("불꽃 · still-7");
    expect(entered(STEP)).toBe("");
  });
});
