/** Calls to `/api/console`: same-origin session cookie, CSRF header, refusals as `Refusal` (RFC 9457). */

import type {
  Basemap,
  CameraTable,
  Grant,
  Incident,
  IncidentDetail,
  LeaseTicket,
  MapCamera,
  Me,
  RankedCamera,
  RosterRow,
  SearchAnswer,
  Snapshot,
} from "./types";

const BASE = "/api/console";
const ANSWER_WITHIN_MS = 15_000;

export type IncidentAction =
  | "claim"
  | "verify"
  | "activate"
  | "stabilise"
  | "dismiss"
  | "close"
  | "reopen"
  | "note"
  | "locate";

/** A refusal or fault the server named, or the network's silence (`status` 0). */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly ko: string,
    readonly en: string,
    readonly retryAfterS: number | null = null,
    readonly where: string = "",
  ) {
    super(`${ko} (${en})`);
    this.name = "Refusal";
  }

  /** True when the same call may succeed later without anybody changing anything. */
  get temporary(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** The refusal a response carries; tolerant of bodies that are not problem documents. */
export function refusalOf(status: number, body: unknown, retryAfter: string | null): Refusal {
  const problem = typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {};
  const text = (key: string): string => (typeof problem[key] === "string" ? problem[key] : "");
  const code = text("code") || text("type").split(/[/:]/).pop() || String(status);
  const en = text("detail") || text("title") || `HTTP ${status}`;
  const wait = retryAfter === null ? NaN : Number(retryAfter);
  return new Refusal(status, code, text("ko") || fallbackKo(status), en, Number.isFinite(wait) ? wait : null, text("where"));
}

function fallbackKo(status: number): string {
  if (status === 401) return "로그인이 필요합니다.";
  if (status === 403) return "권한이 없습니다.";
  if (status === 404) return "찾을 수 없습니다.";
  if (status === 409) return "그 사이 상태가 바뀌었습니다.";
  if (status === 429) return "요청이 너무 많습니다. 잠시 뒤에 다시 하십시오.";
  return status >= 500 ? "서버가 응답하지 못했습니다." : "요청이 거절되었습니다.";
}

export function csrfToken(cookies: string): string {
  const found = /(?:^|;\s*)csrftoken=([^;]*)/.exec(cookies);
  return found?.[1] === undefined ? "" : decodeURIComponent(found[1]);
}

/** One call; raises `Refusal`. */
export async function call<T>(method: "GET" | "POST" | "PUT", path: string, body?: unknown, keepalive = false): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (method !== "GET") {
    headers["Content-Type"] = "application/json";
    headers["X-CSRFToken"] = csrfToken(document.cookie);
  }
  let response: Response;
  try {
    response = await fetch(BASE + path, {
      method,
      headers,
      credentials: "same-origin",
      keepalive,
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
      ...(method !== "GET" ? { body: JSON.stringify(body ?? {}) } : {}),
    });
  } catch (fault) {
    throw new Refusal(0, "unreachable", "서버에 연결할 수 없습니다.", fault instanceof Error ? fault.message : "network");
  }
  const text = await response.text();
  const answer = parsed(text);
  if (!response.ok) throw refusalOf(response.status, answer, response.headers.get("Retry-After"));
  return answer as T;
}

function parsed(text: string): unknown {
  if (text === "") return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export function query(values: Record<string, string | number>): string {
  return new URLSearchParams(Object.entries(values).map(([key, value]) => [key, String(value)])).toString();
}

const id = encodeURIComponent;

export const api = {
  base: BASE,
  me: () => call<Me>("GET", "/me"),
  login: (username: string, password: string) => call<Me>("POST", "/login", { username, password }),
  logout: () => call<null>("POST", "/logout"),
  switchAuthority: (code: string) => call<Me>("POST", "/me/authority", { code }),
  snapshot: () => call<Snapshot>("GET", "/snapshot"),
  incident: (incident: string) => call<IncidentDetail>("GET", `/incidents/${id(incident)}`),
  openIncident: (body: Record<string, unknown>) => call<Incident>("POST", "/incidents", body),
  act: (incident: string, action: IncidentAction, body: Record<string, unknown>) =>
    call<Incident>("POST", `/incidents/${id(incident)}/${action}`, body),
  requestGrant: (incident_id: string, camera_ids: string[]) =>
    call<Grant>("POST", "/grants", { incident_id, camera_ids, rights: ["live"] }),
  decide: (grant: string, verdict: "approve" | "deny" | "revoke" | "extend", reason: string) =>
    call<Grant>("POST", `/grants/${id(grant)}/${verdict}`, { reason }),
  breakGlass: (camera_ids: string[], reason: string) => call<Grant>("POST", "/break-glass", { camera_ids, reason }),
  cameras: (bbox: readonly [number, number, number, number], limit: number) =>
    call<CameraTable>("GET", `/cameras?${query({ bbox: bbox.map((n) => n.toFixed(6)).join(","), limit })}`),
  camera: (camera: string) => call<MapCamera>("GET", `/cameras/${id(camera)}`),
  near: (lon: number, lat: number, k = 12) => call<RankedCamera[]>("GET", `/near?${query({ lon, lat, k })}`),
  search: (q: string) => call<SearchAnswer>("GET", `/search?${query({ q })}`),
  basemap: () => call<Basemap>("GET", "/basemap"),
  openLease: (camera_id: string, grant_id: string | null, incident_id: string | null) =>
    call<LeaseTicket>("POST", "/leases", {
      camera_id,
      ...(grant_id === null ? {} : { grant_id }),
      ...(incident_id === null ? {} : { incident_id }),
    }),
  renewLease: (lease: string) => call<LeaseTicket>("POST", `/leases/${id(lease)}/renew`),
  closeLease: (lease: string) => call<null>("POST", `/leases/${id(lease)}/close`, {}, true),
  roster: () => call<{ shifts: RosterRow[] }>("GET", "/roster"),
  startShift: (hours: number) => call<unknown>("POST", "/shift/start", { hours }),
  endShift: () => call<unknown>("POST", "/shift/end"),
};
