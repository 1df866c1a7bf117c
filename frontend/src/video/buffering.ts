/** Decisions of a live tile: where to play, what to drop, when to try again. Pure. */

/** Play this far behind the newest frame: one or two fragments of slack. */
export const BEHIND_S = 0.35;
/** Later than this and we jump: an operator must see now. */
export const MAX_LATENCY_S = 2;
/** Faster play up to here closes a small gap without a jump. */
const CATCH_UP_FROM_S = 0.7;
const KEEP_S = 8;
/** More undigested than this and the decoder will never catch up: what waits is dropped as far as the newest. */
export const MAX_WAITING_BYTES = 12_000_000;

export interface Playhead {
  at: number;
  start: number;
  end: number;
}

export interface Steering {
  seekTo: number | null;
  rate: number;
  dropBefore: number | null;
}

/**
 * What to do with the play head, given what is buffered (seconds on the media's own clock).
 * Before the first picture it goes straight to the live edge: the gateway sends the last second first.
 */
export function steer({ at, start, end }: Playhead, begun = true): Steering {
  const dropBefore = at - start > KEEP_S * 2 ? at - KEEP_S : null;
  const latency = end - at;
  const late = latency > (begun ? MAX_LATENCY_S : BEHIND_S * 2);
  if (late || at < start || at > end) {
    return { seekTo: Math.max(start, end - BEHIND_S), rate: 1, dropBefore };
  }
  return { seekTo: null, rate: latency > CATCH_UP_FROM_S ? 1.1 : 1, dropBefore };
}

export type Verdict = "again" | "ended" | "unsupported";

export interface Closing {
  verdict: Verdict;
  ko: string;
  en: string;
}

const CLOSINGS: Record<number, Closing> = {
  1000: { verdict: "again", ko: "중계가 끝났습니다", en: "relay ended" },
  1001: { verdict: "again", ko: "중계 서버가 다시 시작합니다", en: "media is restarting" },
  4400: { verdict: "ended", ko: "중계 요청이 올바르지 않습니다", en: "malformed request" },
  4401: { verdict: "again", ko: "열람권 확인에 실패했습니다", en: "lease not valid" },
  4403: { verdict: "ended", ko: "열람 승인이 끝났거나 회수되었습니다", en: "grant ended or revoked" },
  4408: { verdict: "again", ko: "열람권이 만료되었습니다", en: "lease expired" },
  4415: { verdict: "unsupported", ko: "이 카메라의 영상 방식(H.265 등)은 재생할 수 없습니다", en: "codec not supported (H.265…)" },
  4429: { verdict: "again", ko: "동시에 보는 사람이 너무 많습니다", en: "too many viewers" },
  4503: { verdict: "again", ko: "카메라가 응답하지 않습니다", en: "camera is not answering" },
  4504: { verdict: "again", ko: "통제 서버와 끊겨 영상을 닫았습니다", en: "closed: core is gone" },
};

/** What a WebSocket close code means to the person in front of the tile. */
export function closingOf(code: number): Closing {
  return CLOSINGS[code] ?? { verdict: "again", ko: `영상 연결이 끊겼습니다 (${code})`, en: `connection lost (${code})` };
}

/** How long to wait before trying again; more for what heals slowly. */
export function retryMs(attempt: number, code: number, jitter: number): number {
  const base = code === 4429 || code === 4503 ? 2_000 : 500;
  return Math.min(15_000, base * 2 ** Math.min(attempt, 5)) * (0.8 + 0.4 * jitter);
}

/** How long until a lease is renewed: as the server says (its clock, not ours), within sane bounds. */
export function renewInMs(renewAfterS: number): number {
  return Number.isFinite(renewAfterS) ? Math.min(Math.max(renewAfterS, 1), 60) * 1_000 : 10_000;
}

export function mimeOf(codec: string): string {
  return `video/mp4; codecs="${codec}"`;
}
