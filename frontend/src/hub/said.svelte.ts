/** What just happened, told once: a line at the foot of the screen that is also read aloud. */

import type { Text } from "../text/texts";

class Sayings {
  text = $state.raw<Text | null>(null);
  bad = $state(false);
  private timer: ReturnType<typeof setTimeout> | undefined;

  say(text: Text, bad = false): void {
    this.text = text;
    this.bad = bad;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => (this.text = null), bad ? 12_000 : 5_000);
  }

  clear(): void {
    this.text = null;
  }
}

export const sayings = new Sayings();
