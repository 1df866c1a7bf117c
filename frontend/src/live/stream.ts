/** The live line to the core: snapshot, then changes; reconnects with `Last-Event-ID`; says how it is. */

import { api, Refusal } from "../api/client";
import type { Snapshot } from "../api/types";
import type { Change } from "./live";
import { EventReader, type ServerEvent } from "./sse";

export type LineState = "loading" | "live" | "reconnecting" | "logged_out";

export interface LineListener {
  onSnapshot(snapshot: Snapshot): void;
  onChanges(changes: Change[]): void;
  onState(state: LineState, why: Refusal | null): void;
  onHeard(atMs: number): void;
}

/** Draws are gathered to at most five a second. */
const DRAW_EVERY_MS = 200;
/** A line that lived this long was a good one: the next wait starts short again. */
const STEADY_AFTER_MS = 5_000;
/** Two keep-alives and a half missed: the connection is dead even if the socket does not know. */
export const SILENT_AFTER_MS = 25_000;

export function backoffMs(attempt: number, jitter: number): number {
  return Math.min(10_000, 500 * 2 ** Math.min(attempt, 6)) * (0.75 + 0.5 * jitter);
}

export class LiveLine {
  private stopped = false;
  private abort = new AbortController();
  private cursor: string | null = null;
  private waiting: Change[] = [];
  private drawTimer: ReturnType<typeof setTimeout> | null = null;
  private heardAt = 0;
  private readonly watch: ReturnType<typeof setInterval>;

  constructor(private readonly listener: LineListener) {
    this.watch = setInterval(() => this.breakIfSilent(), 1_000);
    void this.run();
  }

  stop(): void {
    this.stopped = true;
    this.abort.abort();
    clearInterval(this.watch);
    if (this.drawTimer !== null) clearTimeout(this.drawTimer);
  }

  private async run(): Promise<void> {
    for (let attempt = 0; !this.stopped; ) {
      try {
        if (this.cursor === null) await this.loadSnapshot();
        const since = Date.now();
        await this.follow();
        if (Date.now() - since > STEADY_AFTER_MS) attempt = 0;
        if (!this.stopped && this.cursor !== null) this.listener.onState("reconnecting", null);
      } catch (fault) {
        if (this.stopped) return;
        if (this.gaveUp(fault)) return;
      }
      if (this.cursor !== null || attempt > 0) await pause(backoffMs(attempt, Math.random()));
      attempt += 1;
    }
  }

  private gaveUp(fault: unknown): boolean {
    const why = fault instanceof Refusal ? fault : null;
    if (why?.status === 401) {
      this.stop();
      this.listener.onState("logged_out", why);
      return true;
    }
    this.listener.onState(this.cursor === null && why ? "loading" : "reconnecting", why);
    return false;
  }

  private async loadSnapshot(): Promise<void> {
    const snapshot = await api.snapshot();
    this.cursor = String(snapshot.cursor);
    this.heard();
    this.listener.onSnapshot(snapshot);
  }

  private async follow(): Promise<void> {
    this.abort = new AbortController();
    const cursor = this.cursor ?? "";
    try {
      const response = await fetch(`${api.base}/live?cursor=${encodeURIComponent(cursor)}`, {
        headers: { Accept: "text/event-stream", "Last-Event-ID": cursor },
        credentials: "same-origin",
        cache: "no-store",
        signal: this.abort.signal,
      });
      if (!response.ok || response.body === null) {
        throw new Refusal(response.status, String(response.status), "실시간 연결이 거절되었습니다.", "live refused");
      }
      this.heard();
      this.listener.onState("live", null);
      await this.read(response.body);
    } catch (fault) {
      if (!(fault instanceof DOMException) && !(fault instanceof TypeError)) throw fault;
    } finally {
      this.abort.abort();
    }
  }

  private async read(body: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    const events = new EventReader();
    const reader = body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      this.heard();
      for (const event of events.push(decoder.decode(value, { stream: true }))) {
        if (event.event === "reset") {
          this.cursor = null;
          this.waiting = [];
          return;
        }
        this.take(event);
      }
    }
  }

  private take(event: ServerEvent): void {
    if (event.event !== "change") return;
    let data: Omit<Change, "seq">;
    try {
      data = JSON.parse(event.data) as Omit<Change, "seq">;
    } catch {
      return;
    }
    if (event.id !== null && event.id !== "") this.cursor = event.id;
    this.waiting.push({ ...data, seq: this.cursor ?? "" });
    this.drawTimer ??= setTimeout(() => this.draw(), DRAW_EVERY_MS);
  }

  private draw(): void {
    this.drawTimer = null;
    const changes = this.waiting;
    this.waiting = [];
    if (changes.length > 0 && !this.stopped) this.listener.onChanges(changes);
  }

  private heard(): void {
    this.heardAt = Date.now();
    this.listener.onHeard(this.heardAt);
  }

  private breakIfSilent(): void {
    if (this.heardAt > 0 && Date.now() - this.heardAt > SILENT_AFTER_MS) this.abort.abort();
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resume) => setTimeout(resume, ms));
}
