import { describe, expect, it } from "vitest";
import { coverageText, shareText } from "../src/facilities/shares";
import { ORDER_MOVES, ORDER_STATES, ORDER_STEPS, OUTAGE_MOVES, OUTAGE_STATES, OUTAGE_STEPS } from "../src/facilities/words";

describe("shares", () => {
  it("of nothing known have no number", () => {
    expect(shareText(null)).toBeNull();
    expect(coverageText(null)).toBe("0 %");
  });
  it("never round up to a whole that they are not", () => {
    expect(shareText(0.99999)).toBe("99.99 %");
    expect(shareText(1)).toBe("100 %");
    expect(shareText(0.5)).toBe("50 %");
    expect(coverageText(0.999)).toBe("99 %");
    expect(coverageText(0.001)).toBe("1 %");
    expect(coverageText(1)).toBe("100 %");
  });
});

describe("moves", () => {
  it("name only steps and states there are", () => {
    for (const [state, steps] of Object.entries(OUTAGE_MOVES)) {
      expect(OUTAGE_STATES).toHaveProperty(state);
      for (const step of steps) expect(OUTAGE_STEPS).toHaveProperty(step);
    }
    for (const [state, steps] of Object.entries(ORDER_MOVES)) {
      expect(ORDER_STATES).toHaveProperty(state);
      for (const step of steps) expect(ORDER_STEPS).toHaveProperty(step);
    }
  });
});
