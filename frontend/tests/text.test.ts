import { describe, expect, it } from "vitest";
import { csrfToken, refusalOf } from "../src/api/client";
import { ageS, ageText, bearingText, clockText, dayText, lengthText, remainingText, whenText, withoutCity } from "../src/text/format";
import { feedName, reasonOf, textOf, TEXTS } from "../src/text/texts";

const NOON = Date.parse("2026-11-22T03:00:00Z");

describe("times", () => {
  it("are Asia/Seoul on the screen, whatever the machine's zone", () => {
    expect(clockText("2026-11-22T15:04:05Z")).toBe("00:04:05");
    expect(dayText("2026-11-22T15:04:05Z")).toBe("2026-11-23");
  });

  it("carry the day only when it is another one", () => {
    expect(whenText("2026-11-22T02:59:00Z", NOON)).toBe("11:59:00");
    expect(whenText("2026-11-21T02:59:00Z", NOON)).toBe("11-21 11:59");
  });

  it("tell ages in the coarsest unit, and unknown as unknown", () => {
    expect([0.4, 59, 61, 3_700, 90_000].map((s) => ageText(s, "ko"))).toEqual(["방금", "59초", "1분", "1시간", "1일"]);
    expect(ageText(null, "ko")).toBe("없음");
    expect(ageS("nonsense", NOON)).toBeNull();
    expect(ageS("2026-11-22T03:00:09Z", NOON)).toBe(0);
  });

  it("count down and stop at nothing", () => {
    expect(remainingText("2026-11-22T03:04:09Z", NOON)).toBe("04:09");
    expect(remainingText("2026-11-22T05:04:09Z", NOON)).toBe("2:04:09");
    expect(remainingText("2026-11-22T03:00:00Z", NOON)).toBeNull();
  });
});

describe("lengths and bearings", () => {
  it("are metres, then kilometres", () => {
    expect([12.4, 999.4, 1_240].map(lengthText)).toEqual(["12 m", "999 m", "1.2 km"]);
    expect(lengthText(null)).toBe("–");
  });

  it("wrap around north", () => {
    expect([0, 359, 44, 90, -90].map((d) => bearingText(d, "ko"))).toEqual(["북", "북", "북동", "동", "서"]);
  });
});

describe("addresses", () => {
  it("leave out province and city, never everything", () => {
    const short = ["경상남도 김해시 진영읍 해오름로 41", "부산광역시 해운대구 우동 1", "김해시 가야로 12", "김해시", "방범 3-1"].map(withoutCity);
    expect(short).toEqual(["진영읍 해오름로 41", "해운대구 우동 1", "가야로 12", "김해시", "방범 3-1"]);
  });
});

describe("words", () => {
  it("are there in Korean and English", () => {
    for (const [key, text] of Object.entries(TEXTS)) {
      expect(text.ko, key).not.toBe("");
      expect(text.en, key).not.toBe("");
      expect(/[가-힣]/.test(text.ko), key).toBe(true);
    }
  });

  it("name feeds and reasons for people, and leave what people wrote", () => {
    expect(feedName("mqtt:gimhae/air/{station}")).toBe("air");
    expect(feedName("대기질")).toBe("대기질");
    expect(reasonOf("incident_closed").ko).toBe("사건이 종료됨");
    expect(reasonOf("칼을 든 사람").ko).toBe("칼을 든 사람");
  });

  it("show a state nobody foresaw instead of hiding it", () => {
    expect(textOf("state_HANDED_OVER").ko).toBe("HANDED_OVER");
  });
});

describe("refusals", () => {
  it("carry the server's Korean and English", () => {
    const refusal = refusalOf(409, { code: "conflict", ko: "이미 닫힌 사건입니다.", detail: "closed" }, null);
    expect([refusal.code, refusal.ko, refusal.en, refusal.temporary]).toEqual(["conflict", "이미 닫힌 사건입니다.", "closed", false]);
  });

  it("stay understandable when a proxy answers instead", () => {
    const refusal = refusalOf(502, "<html>", "7");
    expect(refusal.ko).toContain("서버");
    expect([refusal.temporary, refusal.retryAfterS]).toEqual([true, 7]);
  });

  it("find the CSRF token among cookies", () => {
    expect(csrfToken("a=1; csrftoken=x%3Dy; b=2")).toBe("x=y");
    expect(csrfToken("notcsrftoken=1")).toBe("");
  });
});
