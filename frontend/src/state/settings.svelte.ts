/** What this browser remembers for its operator: language, theme, mute, keys. Kept in localStorage. */

import { bindingsFrom, DEFAULTS, type Bindings } from "../keys/keymap";
import type { Text } from "../text/texts";

export type ScreenLanguage = "both" | "ko" | "en";
export type Theme = "dark" | "light";

interface Remembered {
  language: ScreenLanguage;
  theme: Theme;
  muted: boolean;
  shortcuts: boolean;
  bindings: Bindings;
}

const PLACE = "madang.screen";

function remembered(): Remembered {
  let stored: Record<string, unknown> = {};
  try {
    stored = (JSON.parse(localStorage.getItem(PLACE) ?? "{}") ?? {}) as Record<string, unknown>;
  } catch {
    // a broken or forbidden storage only means defaults
  }
  const { language, theme, muted, shortcuts, bindings } = stored;
  return {
    language: language === "ko" || language === "en" ? language : "both",
    theme: theme === "light" ? "light" : "dark",
    muted: muted === true,
    shortcuts: shortcuts !== false,
    bindings: bindings === undefined ? DEFAULTS : bindingsFrom(bindings),
  };
}

class Settings {
  language = $state<ScreenLanguage>("both");
  theme = $state<Theme>("dark");
  muted = $state(false);
  shortcuts = $state(true);
  bindings = $state.raw<Bindings>(DEFAULTS);

  constructor() {
    Object.assign(this, remembered());
  }

  /** The language in which single texts (labels, titles) are written. */
  get main(): "ko" | "en" {
    return this.language === "en" ? "en" : "ko";
  }

  say(text: Text): string {
    return this.main === "en" ? text.en || text.ko : text.ko;
  }

  /** For labels read aloud and tool tips: both languages when both are wanted. */
  label(text: Text): string {
    return this.language === "both" && text.en ? `${text.ko} ${text.en}` : this.say(text);
  }

  change(part: Partial<Remembered>): void {
    Object.assign(this, part);
    const { language, theme, muted, shortcuts, bindings } = this;
    try {
      localStorage.setItem(PLACE, JSON.stringify({ language, theme, muted, shortcuts, bindings }));
    } catch {
      // forbidden storage: the choice lasts until the page closes
    }
  }
}

export const settings = new Settings();
