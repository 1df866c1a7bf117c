import { describe, expect, it } from "vitest";
import type { Incident } from "../src/api/types";
import { arrange, NOTHING_SHOWN, topClasses } from "../src/queue/arrange";
import { allowedEach, levelOf, perOperator } from "../src/signals/load";
import { spanOf } from "../src/signals/window";

function row(id: string, priority = 3, part: Partial<Incident> = {}): Incident {
  return { id, priority, state: "NEW", class_code: "noise", class_ko: "이상음", class_en: "Noise", ...part } as Incident;
}

const all = (...rows: Incident[]): Map<string, Incident> => new Map(rows.map((one) => [one.id, one]));

describe("the order of the queue", () => {
  const [a, b, c] = [row("a"), row("b"), row("c")];
  const shown = arrange(NOTHING_SHOWN, [a, b, c], all(a, b, c), false);

  it("is the wanted one while nobody's hand is on it", () => {
    expect(arrange(shown, [c, a], all(a, b, c), false)).toEqual({ urgent: [], rest: ["c", "a"] });
  });

  it("keeps every row where it was while somebody chooses, and puts what comes at the end", () => {
    const fresh = row("fresh");
    expect(arrange(shown, [fresh, c, b, a], all(a, b, c, fresh), true).rest).toEqual(["a", "b", "c", "fresh"]);
  });

  it("keeps a row that has just ended, until the hand leaves", () => {
    const over = { ...b, state: "CLOSED" } as Incident;
    expect(arrange(shown, [a, c], all(a, over, c), true).rest).toEqual(["a", "b", "c"]);
    expect(arrange(shown, [a, c], all(a, over, c), false).rest).toEqual(["a", "c"]);
  });

  it("never leaves an urgent one below, held or not", () => {
    const urgent = row("urgent", 1);
    const risen = { ...c, priority: 0 };
    const held = arrange(shown, [risen, urgent, a, b], all(a, b, risen, urgent), true);
    expect(held).toEqual({ urgent: ["c", "urgent"], rest: ["a", "b"] });
  });

  it("forgets what is gone altogether", () => {
    expect(arrange(shown, [a, c], all(a, c), true).rest).toEqual(["a", "c"]);
  });
});

describe("the classes that fill the queue", () => {
  it("come the most frequent first", () => {
    const rows = [row("a"), row("b"), row("c", 3, { class_code: "fire" })];
    expect(topClasses(rows, 1).map((one) => [one.code, one.count])).toEqual([["noise", 2]]);
  });
});

describe("the alarm load", () => {
  const load = (new_items: number, new_urgent = 0, operators = 2) => ({ new_items, new_urgent, operators, allowed: operators * 10 });

  it("is calm, busy above half, and a flood from ten an operator on", () => {
    expect([0, 10, 11, 19, 20, 300].map((n) => levelOf(load(n)))).toEqual(["calm", "calm", "busy", "busy", "flood", "flood"]);
  });

  it("counts urgent items too, which no cap holds back", () => {
    expect(levelOf(load(5, 15))).toBe("flood");
    expect(perOperator(load(5, 16))).toBe(10.5);
    expect(allowedEach(load(0))).toBe(10);
  });
});

describe("the part of a long list that is drawn", () => {
  it("is what is seen and a little more, within the list", () => {
    expect(spanOf(0, 400, 50, 5000, 4)).toEqual({ from: 0, to: 12 });
    expect(spanOf(50_000, 400, 50, 5000, 4)).toEqual({ from: 996, to: 1012 });
    expect(spanOf(1e9, 400, 50, 5000, 4)).toEqual({ from: 4988, to: 5000 });
    expect(spanOf(0, 400, 50, 0, 4)).toEqual({ from: 0, to: 0 });
  });
});
