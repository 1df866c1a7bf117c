import { describe, expect, test } from "vitest";
import { difference } from "../src/rules/difference";
import { answerText, cellText, freshName, withBound, withCell, type Told } from "../src/rules/grid";
import { changeOperator, fieldsAt, getIn, pointerOf, saidAt, seedForm, setIn } from "../src/rules/paths";
import type { Form, Vocabulary } from "../src/rules/types";

const SOURCE = { name: "source", ko: "대상", en: "What", kind: "source", required: true };
const COUNT: Form = { op: "count", ko: "횟수", en: "Count", fields: [{ ...SOURCE, options: ["reading", "signal"] }, { name: "n", ko: "횟수", en: "Times", kind: "integer", required: true, min: 2 }, { name: "window_s", ko: "범위", en: "Window", kind: "integer", required: true, min: 1, unit: "s" }] };
const THRESHOLD: Form = { op: "threshold", ko: "기준", en: "Threshold", fields: [{ ...SOURCE, options: ["reading"] }, { name: "limit", ko: "기준값", en: "Limit", kind: "number", required: true }] };
const SIGNAL: Form = { from: "signal", ko: "신호", en: "Signal", fields: [{ name: "classes", ko: "종류", en: "Classes", kind: "classes", required: true }] };
const READING: Form = { from: "reading", ko: "측정값", en: "Reading", fields: [{ name: "type", ko: "유형", en: "Type", kind: "entity_type", required: true }, { name: "attribute", ko: "속성", en: "Attribute", kind: "attribute", required: true }] };
const WORDS: Vocabulary = {
  operators: [COUNT, THRESHOLD], sources: [READING, SIGNAL], effects: [],
  conditions: [{ on: "time", ko: "시간", en: "Time", fields: [{ name: "start", ko: "부터", en: "From", kind: "clock", required: false, default: "00:00" }] }],
  classes: [{ code: "flood", ko: "침수", en: "Flooding" }], source_kinds: [], weekdays: [], tiers: [{ code: "city", ko: "시", en: "City" }], per: [],
  rule: [], entity_types: null, districts: [], agencies: [], sops: [], examples: [],
};
const CITY = { lon: 128.9, lat: 35.2 };

describe("members of a rule", () => {
  const rule = { when: { op: "count", source: { from: "signal", classes: ["flood"] }, n: 3 }, conditions: [{ on: "time", start: "22:00" }] };

  test("a member is changed in a copy, and what was there stays as it was", () => {
    const next = setIn(rule, "/when/n", 5);
    expect([getIn(next, "/when/n"), rule.when.n]).toEqual([5, 3]);
    expect(next.conditions).toBe(rule.conditions);
  });
  test("a member without a value is left out, an entry of a list taken out", () => {
    expect(setIn(rule, "/when/n", undefined).when).not.toHaveProperty("n");
    expect(setIn(rule, "/conditions/0", undefined).conditions).toEqual([]);
  });
  test("what the server names is found on the form", () => {
    expect(pointerOf("definition.when.window_s")).toBe("/when/window_s");
    expect(pointerOf("effects[0].code")).toBe("/effects/0/code");
    expect(saidAt("definition.conditions[...].start", "/conditions")).toBe(true);
    expect(saidAt("when.reset", "/when")).toBe(false);
  });
  test("a part of the sentence opens its own field, and a condition its whole form", () => {
    expect(fieldsAt(WORDS, rule, "/when/n")).toEqual({ at: "/when", fields: [COUNT.fields[1]] });
    expect(fieldsAt(WORDS, rule, "/when/source/classes")?.at).toBe("/when/source");
    expect(fieldsAt(WORDS, rule, "/conditions/0")?.fields.map((one) => one.name)).toEqual(["start"]);
    expect(fieldsAt(WORDS, rule, "/nowhere")).toBeNull();
  });
  test("a new part has what it must have", () => {
    expect(seedForm(COUNT, WORDS, CITY)).toEqual({ op: "count", source: { from: "signal", classes: ["flood"] }, n: 3, window_s: 600 });
  });
  test("another operator keeps what it can of the one before, never a source it does not take", () => {
    expect(changeOperator(COUNT, { op: "x", source: { from: "signal", classes: ["crowd"] }, n: 7 }, WORDS, CITY)).toMatchObject({ source: { classes: ["crowd"] }, n: 7 });
    expect(changeOperator(THRESHOLD, rule.when, WORDS, CITY)).toMatchObject({ op: "threshold", source: { from: "reading" } });
  });
});

describe("two sentences", () => {
  test("only the words that differ are told as gone and new", () => {
    expect(difference("수위가 2.5 이상이면, 침수", "수위가 3 이상이면, 침수")).toEqual([
      { kind: "same", text: "수위가 " },
      { kind: "gone", text: "2.5 " },
      { kind: "new", text: "3 " },
      { kind: "same", text: "이상이면, 침수" },
    ]);
  });
  test("the old and the new sentence can both be read back", () => {
    const [before, after] = ["a b c d e", "b x d e f"];
    const pieces = difference(before, after);
    const read = (kind: string): string => pieces.filter((one) => one.kind === "same" || one.kind === kind).map((one) => one.text).join("").trim();
    expect([read("gone").split(/\s+/), read("new").split(/\s+/)]).toEqual([before.split(" "), after.split(" ")]);
  });
});

describe("decision tables", () => {
  const told: Told = { classes: WORDS.classes, sources: [], weekdays: [], tiers: WORDS.tiers };
  test("cells and answers are words", () => {
    expect(cellText({ values: ["flood"], negate: true }, "class", told, "ko")).toBe("침수 아님");
    expect(cellText({ low: 22, high: null }, "hour", told, "ko")).toBe("22–");
    expect(answerText({ name: "1", then: { tiers: ["city"] } }, told, "ko")).toBe("시");
  });
  test("an emptied cell is no condition", () => {
    expect(withBound({ low: 3 }, "low", "")).toBeUndefined();
    expect(withCell({ name: "1", when: { class: { values: ["flood"] } }, then: {} }, "class", { values: [] }).when).toEqual({});
  });
  test("a new row's name is nobody else's", () => {
    expect(freshName([{ name: "1", then: {} }, { name: "3", then: {} }])).toBe("4");
  });
});
