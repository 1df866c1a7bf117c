import { describe, expect, it } from "vitest";
import { aloneIn, columnsOf, endsOf, gapsBefore, rangeOf, rowsOf, stepped, summaryOf } from "../src/hub/ranges";
import type { Series } from "../src/hub/types";
import { bytesText, instantText, lineOf, roundedTo, shortId, shortName, shownAs, unitSign } from "../src/hub/values";

const MINUTE = 60_000;

function series(at: number[], bucket_s = 0): Series {
  const values = at.map((_, index) => index + 1);
  return {
    attribute: "pm10",
    kind: "numeric",
    unit: "GQ",
    from_at: "",
    to_at: "",
    bucket_s,
    readings: at.length,
    at,
    avg: values,
    min: values.map((value) => value - 1),
    max: values.map((value) => value + 1),
    count: values.map(() => 1),
    changes: [],
    truncated: false,
  };
}

describe("gaps", () => {
  it("breaks the line where readings stopped for much longer than usual", () => {
    const drawn = columnsOf(series([0, MINUTE, 2 * MINUTE, 30 * MINUTE, 31 * MINUTE]));
    expect(drawn.gaps).toBe(1);
    expect(drawn.columns[0]).toEqual([0, 60, 120, 960, 1800, 1860]);
    expect(drawn.columns[3]?.[3]).toBeNull();
  });

  it("does not take a slow pace for silence", () => {
    const hourly = Array.from({ length: 24 }, (_, hour) => hour * 60 * MINUTE);
    expect(columnsOf(series(hourly, 300)).gaps).toBe(0);
  });

  it("does not take a wide bucket for silence", () => {
    expect(gapsBefore([0, 3_600_000, 10_800_000, 14_400_000], 3600)).toEqual([false, false, false, false]);
    expect(gapsBefore([0, 3_600_000, 18_000_000, 21_600_000], 3600)).toEqual([false, false, true, false]);
  });

  it("follows a pace that changes, and still finds the silence in it", () => {
    const slow = Array.from({ length: 20 }, (_, minute) => minute * MINUTE);
    const quick = Array.from({ length: 60 }, (_, step) => 20 * MINUTE + step * 8_000);
    const later = quick.map((at) => at + 60 * MINUTE);
    const gaps = gapsBefore([...slow, ...quick, ...later], 0);
    expect(gaps.flatMap((gap, index) => (gap ? [index] : []))).toEqual([80]);
  });

  it("marks what stands alone, for no line would show it", () => {
    expect(aloneIn([1, null, 2, null, 3, 4, null, 5])).toEqual([0, 2, 7]);
    expect(aloneIn([])).toEqual([]);
  });

  it("tells a gap in the table by its length", () => {
    const rows = rowsOf(series([0, MINUTE, 2 * MINUTE, 62 * MINUTE]));
    expect(rows[1]).toEqual({ gap_s: 3600, at: 2 * MINUTE });
    expect(rows).toHaveLength(5);
  });

  it("has nothing to say of nothing", () => {
    expect(columnsOf(series([])).columns[0]).toEqual([]);
    expect(summaryOf(series([]))).toBeNull();
    expect(summaryOf(series([0, MINUTE]))).toEqual({ min: 0, max: 3, last: 2, lastAt: MINUTE });
  });
});

describe("ranges", () => {
  const now = Date.parse("2026-11-22T03:00:30Z");

  it("ends now unless an earlier end is named", () => {
    expect(endsOf("day", "", now).live).toBe(true);
    expect(endsOf("day", "2031-01-01T00:00:00Z", now).live).toBe(true);
    const past = endsOf("hour", "2026-11-20T00:00:00Z", now);
    expect(past).toEqual({ from: Date.parse("2026-11-19T23:00:00Z"), to: Date.parse("2026-11-20T00:00:00Z"), live: false });
  });

  it("steps back, and forward again until now", () => {
    const back = stepped("day", now, -1, now);
    expect(back).toBe("2026-11-21T03:00:30.000Z");
    expect(stepped("day", Date.parse(back ?? ""), 1, now)).toBeNull();
  });

  it("reads an unknown range as a day", () => {
    expect(rangeOf("decade")).toBe("day");
  });
});

describe("values", () => {
  it("shows each kind in its own way", () => {
    expect(shownAs("Property", 31.25)).toEqual({ as: "number", text: "31.25" });
    expect(shownAs("Property", 1234567.5)).toEqual({ as: "number", text: "1,234,567.5" });
    expect(shownAs("Property", false)).toEqual({ as: "boolean", yes: false });
    expect(shownAs("Property", 0)).toEqual({ as: "number", text: "0" });
    expect(shownAs("Relationship", ["urn:a:1", "urn:a:2"])).toEqual({ as: "links", ids: ["urn:a:1", "urn:a:2"] });
    expect(shownAs("ListRelationship", [{ object: "urn:a:1" }])).toEqual({ as: "links", ids: ["urn:a:1"] });
    expect(shownAs("LanguageProperty", { ko: "김해", en: "Gimhae" })).toEqual({
      as: "languages",
      texts: [["ko", "김해"], ["en", "Gimhae"]],
    });
    expect(shownAs("VocabProperty", "https://x.kr/v#open")).toEqual({ as: "words", words: ["open"] });
    expect(shownAs("GeoProperty", { type: "Point", coordinates: [128.9, 35.2] })).toEqual({ as: "place", text: "128.90000, 35.20000" });
    expect(shownAs("ListProperty", [1, 2])).toEqual({ as: "words", words: ["1", "2"] });
    expect(shownAs("JsonProperty", { a: 1 }).as).toBe("json");
    expect(shownAs("Property", null)).toEqual({ as: "none" });
  });

  it("reads instants in Korean time", () => {
    expect(instantText("2026-11-22T03:00:00Z")).toBe("2026-11-22 12:00:00");
    expect(lineOf("Property", { "@type": "DateTime", "@value": "2026-11-22T15:30:00Z" })).toBe("2026-11-23 00:30:00");
    expect(instantText("no time")).toBe("no time");
  });

  it("shortens names and ids without losing what tells them apart", () => {
    expect(shortName("https://smartdatamodels.org/dataModel.Environment/pm10")).toBe("pm10");
    expect(shortName("ngsi-ld:special")).toBe("special");
    expect(shortName("pm10")).toBe("pm10");
    expect(shortId("urn:ngsi-ld:Road:김해대로")).toBe("Road:김해대로");
    expect(shortId("https://city.kr/things/1")).toBe("https://city.kr/things/1");
  });

  it("writes units as signs, unknown codes as they came, sizes in steps", () => {
    expect([unitSign("GQ"), unitSign("CEL"), unitSign("XYZ"), unitSign(null)]).toEqual(["µg/m³", "°C", "XYZ", ""]);
    expect([bytesText(812), bytesText(4_300), bytesText(1_400_000_000)]).toEqual(["812 B", "4.3 kB", "1.4 GB"]);
    expect([roundedTo(0.004)(0.01874), roundedTo(80)(31.278), roundedTo(0)(3)]).toEqual(["0.01874", "31.3", "3"]);
  });
});
