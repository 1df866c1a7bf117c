/**
 * Keyboard commands. Pure. Single-character keys can be remapped and switched off (KWCAG 2.2, 문자 단축키).
 *
 * Keys are physical (`KeyboardEvent.code`): with the Hangul input mode on, the `t` key types `ㅅ` and must still throw the net.
 */

export const COMMANDS = [
  "net",
  "search",
  "help",
  "next",
  "previous",
  "claim",
  "verify",
  "activate",
  "stabilise",
  "close",
  "note",
  "approve",
  "locate",
  "new_incident",
  "break_glass",
  "wall",
  "layout_1",
  "layout_4",
  "layout_9",
  "clear_wall",
  "mute",
  "map",
  "steps",
  "tasks",
  "log",
  "handover",
  "events",
  "split",
  "merge",
  "undo",
  "shelves",
  "report",
  "own",
  "wall_page",
  "still",
] as const;

export type Command = (typeof COMMANDS)[number];
export type Bindings = Readonly<Partial<Record<Command, string>>>;

export interface KeyPress {
  code: string;
  key: string;
  shift: boolean;
  ctrl: boolean;
  alt: boolean;
  meta: boolean;
  typing: boolean;
}

export const DEFAULTS: Bindings = {
  net: "KeyT",
  search: "Slash",
  help: "Shift+Slash",
  next: "KeyJ",
  previous: "KeyK",
  claim: "KeyC",
  verify: "KeyV",
  activate: "KeyA",
  stabilise: "KeyS",
  close: "KeyX",
  note: "KeyN",
  approve: "KeyG",
  locate: "KeyL",
  new_incident: "KeyI",
  break_glass: "KeyB",
  wall: "KeyW",
  layout_1: "Digit1",
  layout_4: "Digit4",
  layout_9: "Digit9",
  clear_wall: "KeyQ",
  mute: "KeyM",
  map: "KeyP",
  steps: "KeyE",
  tasks: "KeyD",
  log: "KeyR",
  handover: "KeyH",
  events: "KeyF",
  split: "KeyO",
  merge: "KeyU",
  undo: "Shift+KeyU",
  shelves: "KeyY",
  report: "Shift+KeyI",
  own: "Shift+KeyM",
  wall_page: "Shift+KeyW",
  still: "Period",
};

/** The chord of a press, or null where it must not be a command: typing in a field, or a chord of the browser. */
export function chordOf(press: KeyPress): string | null {
  if (press.typing || press.ctrl || press.alt || press.meta) return null;
  if (!isBindable(press.code)) return null;
  return press.shift ? `Shift+${press.code}` : press.code;
}

/** Letters, digits and signs; never Tab, Enter, Escape, arrows or space, which the page itself needs. */
export function isBindable(code: string): boolean {
  return /^(Key[A-Z]|Digit[0-9]|Slash|Period|Comma|Semicolon|Quote|BracketLeft|BracketRight|Minus|Equal|Backquote)$/.test(code);
}

export function commandOf(press: KeyPress, bindings: Bindings, enabled: boolean): Command | null {
  if (!enabled) return null;
  const chord = chordOf(press);
  return chord === null ? null : (COMMANDS.find((command) => bindings[command] === chord) ?? null);
}

export type Rebound = { ok: true; bindings: Bindings } | { ok: false; taken: Command };

/** `command` on `chord`; refused where another command holds that chord. A null chord leaves it without a key. */
export function rebind(bindings: Bindings, command: Command, chord: string | null): Rebound {
  const taken = chord === null ? undefined : COMMANDS.find((other) => other !== command && bindings[other] === chord);
  if (taken !== undefined) return { ok: false, taken };
  const { [command]: _, ...others } = bindings;
  return { ok: true, bindings: chord === null ? others : { ...others, [command]: chord } };
}

const SIGNS: Record<string, string> = {
  Slash: "/",
  Period: ".",
  Comma: ",",
  Semicolon: ";",
  Quote: "'",
  BracketLeft: "[",
  BracketRight: "]",
  Minus: "-",
  Equal: "=",
  Backquote: "`",
};

/** How a chord is shown on a key cap. */
export function chordText(chord: string | undefined): string {
  if (!chord) return "";
  const shift = chord.startsWith("Shift+");
  const code = shift ? chord.slice(6) : chord;
  if (shift && code === "Slash") return "?";
  const cap = SIGNS[code] ?? code.replace(/^(Key|Digit)/, "").toLowerCase();
  return shift ? `⇧${cap}` : cap;
}

/** Bindings out of storage, whatever is in there: unknown commands and unbindable keys are dropped. */
export function bindingsFrom(stored: unknown): Bindings {
  if (typeof stored !== "object" || stored === null) return DEFAULTS;
  const given = stored as Record<string, unknown>;
  const kept: Partial<Record<Command, string>> = {};
  for (const command of COMMANDS) {
    const chord = given[command];
    if (typeof chord === "string" && isBindable(chord.replace(/^Shift\+/, ""))) kept[command] = chord;
  }
  return kept;
}
