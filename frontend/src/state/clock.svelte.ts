/** One ticking clock for the whole screen, corrected to the server's. */

class Clock {
  /** Milliseconds since the epoch as the server counts them; ticks once a second. */
  now = $state(Date.now());
  private aheadMs = 0;

  constructor() {
    setInterval(() => (this.now = Date.now() + this.aheadMs), 1_000);
  }

  /** Follow the server: its `now` as of this moment. */
  follow(serverNow: string): void {
    const at = Date.parse(serverNow);
    if (!Number.isNaN(at)) {
      this.aheadMs = at - Date.now();
      this.now = at;
    }
  }
}

export const clock = new Clock();
