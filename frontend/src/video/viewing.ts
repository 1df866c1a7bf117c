/**
 * One live view: lease → WebSocket → MediaSource, kept at the live edge, renewed on the same socket, given up on close.
 *
 * No lease is held without a view: closing, refusal and leaving the page all return it.
 */

import { api, Refusal } from "../api/client";
import type { LeaseTicket } from "../api/types";
import { closingOf, MAX_WAITING_BYTES, mimeOf, renewInMs, retryMs, steer } from "./buffering";

export type ViewPhase = "connecting" | "playing" | "stalled" | "again" | "ended" | "refused" | "unsupported";

export interface ViewStatus {
  phase: ViewPhase;
  ko: string;
  en: string;
  code: string;
  latencyS: number | null;
  overlay: LeaseTicket["overlay"] | null;
}

export interface ViewRequest {
  cameraId: string;
  grantId: string | null;
  incidentId: string | null;
  onDuty: boolean;
  fallbackUrl: string;
}

const STALLED_AFTER_MS = 3_000;
const FIRST_FRAME_WITHIN_MS = 12_000;
const TRIES_WITHOUT_A_FRAME = 6;

export class LiveView {
  private status: ViewStatus = { phase: "connecting", ko: "", en: "", code: "", latencyS: null, overlay: null };
  private ticket: LeaseTicket | null = null;
  private socket: WebSocket | null = null;
  private source: MediaSource | null = null;
  private buffer: SourceBuffer | null = null;
  private waiting: ArrayBuffer[] = [];
  private waitingBytes = 0;
  private renewTimer: ReturnType<typeof setTimeout> | null = null;
  private retryTimer: ReturnType<typeof setTimeout> | null = null;
  private readonly watch: ReturnType<typeof setInterval>;
  private attempt = 0;
  private begun = false;
  private heardAt = performance.now();
  private lastTime = 0;
  private movedAt = performance.now();
  private closed = false;

  constructor(
    private readonly video: HTMLVideoElement,
    private readonly request: ViewRequest,
    private readonly onStatus: (status: ViewStatus) => void,
  ) {
    this.watch = setInterval(() => this.check(), 500);
    void this.open();
  }

  /** The lease whose picture plays now, for what is kept of it; none while nothing plays. */
  get playingLease(): string | null {
    return this.status.phase === "playing" && this.ticket !== null ? this.ticket.lease_id : null;
  }

  /** Stop showing and give the lease back. Safe to call twice. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    clearInterval(this.watch);
    if (this.retryTimer !== null) clearTimeout(this.retryTimer);
    this.release();
  }

  /** Start again after it ended or was refused, because the person asked. */
  again(): void {
    if (this.closed) return;
    this.attempt = 0;
    this.release();
    void this.open();
  }

  private async open(): Promise<void> {
    this.tell({ phase: this.attempt === 0 ? "connecting" : "again", latencyS: null });
    try {
      const ticket = await this.askLease();
      if (this.closed) {
        void api.closeLease(ticket.lease_id).catch(() => undefined);
        return;
      }
      this.ticket = ticket;
      this.tell({ overlay: ticket.overlay });
      this.connect(ticket);
    } catch (fault) {
      if (!this.closed) this.refused(fault);
    }
  }

  /** Under the grant at hand; where no grant of the incident covers the camera, as ordinary duty viewing. */
  private async askLease(): Promise<LeaseTicket> {
    const { cameraId, grantId, incidentId, onDuty } = this.request;
    try {
      return await api.openLease(cameraId, grantId, incidentId);
    } catch (fault) {
      const uncovered = fault instanceof Refusal && fault.status === 409 && grantId === null && incidentId !== null;
      if (!uncovered || !onDuty) throw fault;
      return api.openLease(cameraId, null, null);
    }
  }

  private refused(fault: unknown): void {
    const why = fault instanceof Refusal ? fault : new Refusal(0, "fault", "영상을 열지 못했습니다.", String(fault));
    if (why.temporary) this.later(0, why.ko, why.en);
    else this.tell({ phase: "refused", ko: why.ko, en: why.en, code: why.code });
  }

  private connect(ticket: LeaseTicket): void {
    this.heardAt = this.movedAt = performance.now();
    const socket = new WebSocket(new URL(ticket.url || this.request.fallbackUrl, webSocketBase()));
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      socket.send(JSON.stringify({ lease: ticket.token }));
      this.renewLater(ticket);
    };
    socket.onmessage = (message: MessageEvent<string | ArrayBuffer>) => {
      this.heardAt = performance.now();
      if (typeof message.data === "string") this.ready(message.data);
      else this.enqueue(message.data);
    };
    socket.onclose = (event) => {
      if (this.socket === socket) this.lost(event.code, event.reason);
    };
    this.socket = socket;
  }

  private ready(text: string): void {
    let said: { type?: string; codec?: string };
    try {
      said = JSON.parse(text) as { type?: string; codec?: string };
    } catch {
      return;
    }
    if (said.type !== "ready" || !said.codec) return;
    const mime = mimeOf(said.codec);
    if (!("MediaSource" in window) || !MediaSource.isTypeSupported(mime)) {
      this.finish("unsupported", `이 브라우저는 ${said.codec} 영상을 재생할 수 없습니다`, `codec ${said.codec}`, "4415");
      return;
    }
    this.startSource(mime);
  }

  private startSource(mime: string): void {
    this.dropSource();
    this.begun = false;
    const source = new MediaSource();
    this.source = source;
    this.video.src = URL.createObjectURL(source);
    source.addEventListener(
      "sourceopen",
      () => {
        URL.revokeObjectURL(this.video.src);
        if (this.source !== source) return;
        this.buffer = source.addSourceBuffer(mime);
        this.buffer.mode = "segments";
        this.buffer.addEventListener("updateend", () => this.digest());
        this.digest();
      },
      { once: true },
    );
    void this.video.play().catch(() => undefined);
  }

  private enqueue(chunk: ArrayBuffer): void {
    if (this.waitingBytes > MAX_WAITING_BYTES) {
      this.lose("4429", "영상을 따라가지 못해 다시 엽니다", "too slow to follow, reopening");
      return;
    }
    this.waiting.push(chunk);
    this.waitingBytes += chunk.byteLength;
    this.digest();
  }

  private digest(): void {
    const buffer = this.buffer;
    if (buffer === null || buffer.updating || this.source?.readyState !== "open") return;
    const dropBefore = this.hold();
    if (dropBefore !== null) {
      buffer.remove(0, dropBefore);
      return;
    }
    const chunk = this.waiting.shift();
    if (chunk === undefined) return;
    this.waitingBytes -= chunk.byteLength;
    try {
      buffer.appendBuffer(chunk);
    } catch (fault) {
      this.lose("append", "영상 자료가 올바르지 않아 다시 엽니다", String(fault));
    }
  }

  /** Keep the play head at the live edge; gives the time before which to drop, or null. */
  private hold(): number | null {
    const ranges = this.video.buffered;
    if (ranges.length === 0) return null;
    const last = ranges.length - 1;
    const playhead = { at: this.video.currentTime, start: ranges.start(last), end: ranges.end(last) };
    const steering = steer(playhead, this.begun);
    if (steering.seekTo !== null) this.video.currentTime = steering.seekTo;
    if (this.video.playbackRate !== steering.rate) this.video.playbackRate = steering.rate;
    return steering.dropBefore !== null && steering.dropBefore > ranges.start(0) + 1 ? steering.dropBefore : null;
  }

  private check(): void {
    const now = performance.now();
    if (this.video.currentTime !== this.lastTime) {
      this.lastTime = this.video.currentTime;
      this.movedAt = now;
      this.attempt = 0;
      this.begun = true;
      const end = this.video.buffered.length > 0 ? this.video.buffered.end(this.video.buffered.length - 1) : this.lastTime;
      if (this.socket !== null) this.tell({ phase: "playing", ko: "", en: "", code: "", latencyS: Math.max(0, end - this.lastTime) });
    } else if (this.status.phase === "playing" && now - this.movedAt > STALLED_AFTER_MS) {
      this.tell({ phase: "stalled", latencyS: null });
    } else if (this.socket !== null && now - Math.max(this.movedAt, this.heardAt) > FIRST_FRAME_WITHIN_MS) {
      this.lose("4503", "카메라 영상이 오지 않습니다", "no frames arrive");
    }
    if (this.video.paused && this.source?.readyState === "open") void this.video.play().catch(() => undefined);
  }

  private renewLater(ticket: LeaseTicket): void {
    if (this.renewTimer !== null) clearTimeout(this.renewTimer);
    this.renewTimer = setTimeout(() => void this.renew(ticket), renewInMs(ticket.renew_after_s));
  }

  private async renew(ticket: LeaseTicket): Promise<void> {
    try {
      const renewed = await api.renewLease(ticket.lease_id);
      if (this.closed || this.ticket?.lease_id !== ticket.lease_id) return;
      this.ticket = renewed;
      if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ lease: renewed.token }));
      this.renewLater(renewed);
    } catch (fault) {
      if (this.closed || this.ticket?.lease_id !== ticket.lease_id) return;
      if (fault instanceof Refusal && !fault.temporary) this.finish("ended", fault.ko, fault.en, fault.code);
      else this.renewTimer = setTimeout(() => void this.renew(ticket), 2_000);
    }
  }

  private lose(code: string, ko: string, en: string): void {
    this.release();
    this.later(Number(code) || 0, ko, en);
  }

  private lost(code: number, reason: string): void {
    const closing = closingOf(code);
    const en = reason ? `${closing.en}: ${reason}` : closing.en;
    this.release();
    if (closing.verdict === "again") this.later(code, closing.ko, en);
    else this.tell({ phase: closing.verdict, ko: closing.ko, en, code: String(code), latencyS: null });
  }

  private finish(phase: "ended" | "unsupported", ko: string, en: string, code: string): void {
    this.release();
    this.tell({ phase, ko, en, code, latencyS: null });
  }

  /** Try again, asking for a new lease first: a grant that ended meanwhile refuses it, and then it is over. */
  private later(code: number, ko: string, en: string): void {
    if (this.closed) return;
    if (this.attempt >= TRIES_WITHOUT_A_FRAME) {
      this.tell({ phase: "ended", ko, en, code: String(code), latencyS: null });
      return;
    }
    this.tell({ phase: "again", ko, en, code: String(code), latencyS: null });
    this.retryTimer = setTimeout(() => void this.open(), retryMs(this.attempt, code, Math.random()));
    this.attempt += 1;
  }

  private release(): void {
    if (this.renewTimer !== null) clearTimeout(this.renewTimer);
    const socket = this.socket;
    this.socket = null;
    socket?.close(1000);
    this.dropSource();
    const ticket = this.ticket;
    this.ticket = null;
    if (ticket !== null) void api.closeLease(ticket.lease_id).catch(() => undefined);
  }

  private dropSource(): void {
    this.buffer = null;
    this.waiting = [];
    this.waitingBytes = 0;
    if (this.source !== null) {
      this.source = null;
      this.video.removeAttribute("src");
      this.video.load();
    }
  }

  private tell(part: Partial<ViewStatus>): void {
    this.status = { ...this.status, ...part };
    if (!this.closed) this.onStatus(this.status);
  }
}

function webSocketBase(): string {
  return location.origin.replace(/^http/, "ws");
}
