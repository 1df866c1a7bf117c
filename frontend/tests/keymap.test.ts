import { describe, expect, it } from "vitest";
import { bindingsFrom, chordOf, chordText, commandOf, COMMANDS, DEFAULTS, rebind, type KeyPress } from "../src/keys/keymap";
import { COMMAND_TEXTS } from "../src/text/texts";

function press(code: string, part: Partial<KeyPress> = {}): KeyPress {
  return { code, key: "", shift: false, ctrl: false, alt: false, meta: false, typing: false, ...part };
}

describe("the keys", () => {
  it("throw the net with t, also while the Hangul input mode types ㅅ", () => {
    expect(commandOf(press("KeyT", { key: "ㅅ" }), DEFAULTS, true)).toBe("net");
    expect(commandOf(press("KeyT", { key: "Process" }), DEFAULTS, true)).toBe("net");
  });

  it("do nothing when single-letter shortcuts are switched off", () => {
    for (const command of COMMANDS) {
      const chord = DEFAULTS[command] ?? "";
      const shift = chord.startsWith("Shift+");
      expect(commandOf(press(chord.replace("Shift+", ""), { shift }), DEFAULTS, false)).toBeNull();
    }
  });

  it("do nothing while someone types, nor with the browser's own chords", () => {
    for (const part of [{ typing: true }, { ctrl: true }, { alt: true }, { meta: true }]) {
      expect(commandOf(press("KeyT", part), DEFAULTS, true)).toBeNull();
    }
  });

  it("never take Tab, Enter, Escape, Space or arrows from the page", () => {
    for (const code of ["Tab", "Enter", "Escape", "Space", "ArrowDown", "F5"]) expect(chordOf(press(code))).toBeNull();
  });

  it("tell / from ?", () => {
    expect(commandOf(press("Slash"), DEFAULTS, true)).toBe("search");
    expect(commandOf(press("Slash", { shift: true }), DEFAULTS, true)).toBe("help");
    expect(chordText(DEFAULTS.help)).toBe("?");
  });

  it("have no two commands on one key, and a word for each command", () => {
    const chords = Object.values(DEFAULTS);
    expect(new Set(chords).size).toBe(chords.length);
    for (const command of COMMANDS) expect(COMMAND_TEXTS[command].ko).not.toBe("");
  });

  it("can be remapped, but not onto a key in use", () => {
    expect(rebind(DEFAULTS, "net", "KeyK")).toEqual({ ok: false, taken: "previous" });
    const rebound = rebind(DEFAULTS, "net", "KeyZ");
    expect(rebound.ok && commandOf(press("KeyZ"), rebound.bindings, true)).toBe("net");
    expect(rebound.ok && commandOf(press("KeyT"), rebound.bindings, true)).toBeNull();
  });

  it("can be taken away from a command, and stay away when stored", () => {
    const rebound = rebind(DEFAULTS, "close", null);
    expect(rebound.ok).toBe(true);
    const stored: unknown = JSON.parse(JSON.stringify(rebound.ok ? rebound.bindings : {}));
    expect(bindingsFrom(stored).close).toBeUndefined();
    expect(bindingsFrom(stored).net).toBe("KeyT");
  });

  it("survive a broken store", () => {
    expect(bindingsFrom(null)).toEqual(DEFAULTS);
    expect(bindingsFrom("x")).toEqual(DEFAULTS);
    expect(bindingsFrom({ net: 3, search: "Enter", unknown: "KeyA" })).toEqual({});
  });
});
