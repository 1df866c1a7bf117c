/** The operator's desk: who sits here, what is known, what is chosen, what hangs on the wall. */

import { api, Refusal, type IncidentAction } from "../api/client";
import type { Grant, Incident, IncidentDetail, Me, Place, RankedCamera, Snapshot, Task } from "../api/types";
import { answerTheLine } from "../duty/beat";
import { EMPTY, evolve, fromSnapshot, newEmergencies, NUDGES, type Change, type LiveState, type Nudge } from "../live/live";
import { LiveLine, SILENT_AFTER_MS, type LineState } from "../live/stream";
import { USUAL_CLASSES, type IncidentClass } from "../queue/classes";
import { arrange, NOTHING_SHOWN, type Arranged } from "../queue/arrange";
import { select, type QueueFilter } from "../queue/order";
import { Alarm } from "../shell/alarm";
import { claimsLost, netThrown, TEXTS, type Text } from "../text/texts";
import { catchOf, hang, layoutFor, type Layout, type Tile } from "../video/net";
import { clock } from "./clock.svelte";
import { settings } from "./settings.svelte";

export type Session =
  | { phase: "loading" }
  | { phase: "out"; over: boolean }
  | { phase: "error"; why: Refusal }
  | { phase: "in"; me: Me };

export type Detail =
  | { phase: "none" }
  | { phase: "loading"; id: string }
  | { phase: "ready"; id: string; data: IncidentDetail }
  | { phase: "error"; id: string; why: Refusal };

export type ReasonWanted = {
  kind: "reason";
  title: Text;
  subject: string;
  required: boolean;
  confirm: Text;
  danger: boolean;
  field: Text;
  run: (reason: string) => Promise<void>;
};

export type Dialog =
  | ReasonWanted
  | { kind: "break_glass"; cameras: { id: string; label: string }[] }
  | { kind: "help" }
  | { kind: "new_incident" }
  | { kind: "duty" }
  | { kind: "handover" }
  | { kind: "tasks" }
  | { kind: "log"; incidentId: string | null }
  | { kind: "events"; incidentId: string | null }
  | { kind: "merge"; incident: Incident }
  | { kind: "shelves"; device: { source: string; device: string; mode: string } | null }
  | { kind: "report" };

export interface Toast {
  id: number;
  tone: "good" | "bad" | "plain";
  text: string;
  /** What may be done about it, e.g. undoing it. */
  action?: { text: Text; run: () => void };
}

export interface MapHandle {
  centre(): { lon: number; lat: number };
  goTo(lon: number, lat: number, zoom?: number): void;
  focus(): void;
  refreshCameras(): void;
}

export type WallMode = "hidden" | "dock" | "full";

const FRESH_FOR_MS = 20_000;
const ALARM_EVERY_MS = 12_000;
const ALARM_TIMES = 5;
const NOBODY = "";

class Desk {
  session = $state.raw<Session>({ phase: "loading" });
  live = $state.raw<LiveState>(EMPTY);
  loaded = $state(false);
  line = $state.raw<{ state: LineState; why: Refusal | null }>({ state: "loading", why: null });
  heardAt = $state(0);
  filter = $state<QueueFilter>("open");
  selectedId = $state<string | null>(null);
  detail = $state.raw<Detail>({ phase: "none" });
  fresh = $state.raw<ReadonlySet<string>>(new Set());
  /** How often each kind of thing was said to have changed: read it in an effect that asks again. */
  nudges = $state<Record<Nudge, number>>(Object.fromEntries(NUDGES.map((kind) => [kind, 0])) as Record<Nudge, number>);
  spoken = $state("");
  toasts = $state.raw<readonly Toast[]>([]);
  dialog = $state.raw<Dialog | null>(null);
  picking = $state<string | null>(null);
  relocating = $state<string | null>(null);
  tiles = $state.raw<readonly Tile[]>([]);
  layout = $state<Layout>(4);
  wallMode = $state<WallMode>("hidden");
  enlarged = $state<string | null>(null);
  searching = $state(false);
  busy = $state(false);
  soundReady = $state(false);
  /** A wall nobody sits at: it shows, but proves no presence, sounds no alarm and keeps its own address. */
  kiosk = false;
  map: MapHandle | null = null;
  readonly alarm = new Alarm();

  private stream: LiveLine | null = null;
  private detailTimer: ReturnType<typeof setTimeout> | null = null;
  private unheard = new Map<string, number>();
  private toastId = 0;

  private incidents = $derived(this.live.incidents);
  private tasks = $derived(this.live.tasks);
  /** Only this class, or all (""). */
  queueClass = $state("");
  /** Somebody's pointer or focus is on the queue: its order is held. */
  handOn = $state(false);
  private before: Arranged = NOTHING_SHOWN;
  private beforeOf = "";
  wanted = $derived(select(this.incidents.values(), this.filter, this.myId, this.tasks));
  arranged = $derived.by(() => this.arrangeQueue());
  queue = $derived(this.rowsOf([...this.arranged.urgent, ...this.arranged.rest]));

  constructor() {
    setInterval(() => this.repeatAlarm(), ALARM_EVERY_MS);
  }

  get me(): Me | null {
    return this.session.phase === "in" ? this.session.me : null;
  }

  get myId(): string {
    return this.me?.person.id ?? NOBODY;
  }

  /** Whether this role has anything to see here; others work in the back office. */
  get hasDesk(): boolean {
    return this.can("view_incident") || this.can("view_map");
  }

  can(right: string): boolean {
    return this.me?.rights.includes(right) ?? false;
  }

  /** Classes to choose from when registering an incident: the usual ones and those seen today. */
  get classes(): IncidentClass[] {
    const seen = [...this.live.incidents.values()].map((row) => ({ code: row.class_code, ko: row.class_ko, en: row.class_en }));
    return [...new Map([...USUAL_CLASSES, ...seen].map((known) => [known.code, known])).values()];
  }

  get stale(): boolean {
    return this.loaded && clock.now - this.heardAt > SILENT_AFTER_MS;
  }

  /** The chosen incident, its row as fresh as the live line has it. */
  get selected(): Incident | null {
    const id = this.selectedId;
    if (id === null) return null;
    const row = this.live.incidents.get(id) ?? null;
    const held = this.detail.phase === "ready" && this.detail.id === id ? this.detail.data : null;
    if (row === null || held === null) return row ?? held;
    return held.version > row.version ? held : { ...held, ...row };
  }

  private arrangeQueue(): Arranged {
    const of = `${this.filter} ${this.queueClass}`;
    const held = this.handOn && of === this.beforeOf;
    const rows = this.queueClass === "" ? this.wanted : this.wanted.filter((row) => row.class_code === this.queueClass || row.priority <= 1);
    this.beforeOf = of;
    return (this.before = arrange(this.before, rows, this.incidents, held));
  }

  rowsOf(ids: readonly string[]): Incident[] {
    return ids.flatMap((id) => this.incidents.get(id) ?? []);
  }

  grantsOf(incidentId: string): Grant[] {
    const known = new Map<string, Grant>();
    const held = this.detail.phase === "ready" && this.detail.id === incidentId ? this.detail.data.grants : [];
    for (const grant of [...held, ...this.live.grants.values()]) {
      const other = known.get(grant.id);
      if (grant.incident_id === incidentId && (!other || other.version <= grant.version)) known.set(grant.id, grant);
    }
    return [...known.values()].sort((a, b) => b.requested_at.localeCompare(a.requested_at));
  }

  tasksOf(incidentId: string): Task[] {
    return [...this.live.tasks.values()].filter((task) => task.incident_id === incidentId);
  }

  // --- coming and going ------------------------------------------------------------------------------------------

  async start(): Promise<void> {
    this.session = { phase: "loading" };
    try {
      this.enter(await api.me());
    } catch (fault) {
      const why = asRefusal(fault);
      this.session = why.status === 401 || why.status === 403 ? { phase: "out", over: false } : { phase: "error", why };
    }
  }

  /** Looks whether somebody has logged in meanwhile, and says nothing if not. */
  async comeBack(): Promise<void> {
    try {
      this.enter(await api.me());
    } catch {
      // still out
    }
  }

  enter(me: Me): void {
    this.session = { phase: "in", me };
    this.forget();
    if (!this.hasDesk) return;
    this.stream = new LiveLine({
      onSnapshot: (snapshot) => this.onSnapshot(snapshot),
      onChanges: (changes) => this.onChanges(changes),
      onState: (state, why) => this.onLine(state, why),
      onHeard: () => this.onHeard(),
    });
  }

  async leave(): Promise<void> {
    this.closeAllTiles();
    try {
      await api.logout();
    } catch (fault) {
      if (asRefusal(fault).status === 0) return this.complain(fault);
    }
    this.forget();
    this.session = { phase: "out", over: false };
  }

  async switchAuthority(code: string): Promise<void> {
    await this.trying(async () => this.enter(await api.switchAuthority(code)));
  }

  async refreshMe(): Promise<void> {
    this.session = { phase: "in", me: await api.me() };
  }

  private forget(): void {
    this.stream?.stop();
    this.stream = null;
    this.closeAllTiles();
    this.live = EMPTY;
    this.loaded = false;
    this.line = { state: "loading", why: null };
    this.selectedId = null;
    this.detail = { phase: "none" };
    this.dialog = null;
    this.picking = null;
    this.fresh = new Set();
    this.unheard.clear();
  }

  // --- the live line ---------------------------------------------------------------------------------------------

  private onSnapshot(snapshot: Snapshot): void {
    clock.follow(snapshot.now);
    this.heardAt = clock.now;
    const before = this.live;
    const wasLoaded = this.loaded;
    this.live = fromSnapshot(snapshot);
    this.loaded = true;
    if (wasLoaded) this.notice(newEmergencies(before, this.live));
    if (this.selectedId !== null) this.loadDetailSoon(0);
  }

  private onChanges(changes: Change[]): void {
    const before = this.live;
    this.live = evolve(before, changes);
    this.markFresh([...this.live.incidents.keys()].filter((id) => !before.incidents.has(id)));
    this.notice(newEmergencies(before, this.live));
    if (changes.some((change) => change.kind === "camera")) this.map?.refreshCameras();
    for (const kind of NUDGES) if (changes.some((change) => change.kind === kind)) this.nudges[kind] += 1;
    if (changes.some((change) => this.concernsSelected(change))) this.loadDetailSoon(250);
  }

  private onHeard(): void {
    this.heardAt = clock.now;
    if (!this.kiosk && this.can("keep_duty")) answerTheLine(Date.now(), (count) => this.toast("bad", settings.say(claimsLost(count))));
  }

  private onLine(state: LineState, why: Refusal | null): void {
    this.line = { state, why };
    if (state !== "logged_out") return;
    this.forget();
    this.session = { phase: "out", over: true };
  }

  private concernsSelected(change: Change): boolean {
    const id = this.selectedId;
    if (id === null || change.kind === "feed" || change.kind === "link" || change.kind === "counters") return false;
    if (change.ref === id) return true;
    return (change.row as { incident_id?: string } | null)?.incident_id === id;
  }

  private markFresh(ids: string[]): void {
    if (ids.length === 0) return;
    this.fresh = new Set([...this.fresh, ...ids]);
    setTimeout(() => {
      this.fresh = new Set([...this.fresh].filter((id) => !ids.includes(id)));
    }, FRESH_FOR_MS);
  }

  private notice(emergencies: Incident[]): void {
    if (emergencies.length === 0 || this.kiosk) return;
    for (const row of emergencies) this.unheard.set(row.id, ALARM_TIMES);
    this.spoken = emergencies
      .map((row) => `${TEXTS.emergency.ko} ${row.class_ko} ${row.number} ${row.place.address ?? TEXTS.place_missing.ko}`)
      .join(". ");
    if (!settings.muted) this.alarm.sound();
  }

  /** Repeats for emergencies nobody has looked at here or taken up anywhere. */
  private repeatAlarm(): void {
    for (const [id, left] of this.unheard) {
      const row = this.live.incidents.get(id);
      if (left <= 0 || row?.state !== "NEW" || row.owner !== null) this.unheard.delete(id);
      else this.unheard.set(id, left - 1);
    }
    if (this.unheard.size > 0 && !settings.muted) this.alarm.sound();
  }

  unlockSound(): void {
    this.alarm.unlock();
    this.soundReady = true;
  }

  // --- the chosen incident ---------------------------------------------------------------------------------------

  select(id: string | null, goThere = true): void {
    if (id !== null) this.unheard.delete(id);
    this.picking = null;
    this.relocating = null;
    if (id === this.selectedId) return;
    this.selectedId = id;
    if (!this.kiosk) history.replaceState(null, "", id === null ? location.pathname : `#incident=${id}`);
    this.detail = id === null ? { phase: "none" } : { phase: "loading", id };
    if (id === null) return;
    this.loadDetailSoon(0);
    const row = this.live.incidents.get(id);
    if (goThere && row) this.goToIncident(row);
  }

  step(by: 1 | -1): void {
    const at = this.queue.findIndex((row) => row.id === this.selectedId);
    const next = this.queue[at < 0 ? 0 : Math.min(this.queue.length - 1, Math.max(0, at + by))];
    if (next) this.select(next.id);
  }

  private goToIncident(row: Incident): void {
    const likeliest = row.candidates[0];
    if (row.place.state === "unlocated" && likeliest) this.map?.goTo(likeliest.lon, likeliest.lat, 15);
    else this.goToPlace(row.place);
  }

  goToPlace(place: Place): void {
    if (place.lon !== null && place.lat !== null) this.map?.goTo(place.lon, place.lat, 16);
  }

  loadDetailSoon(ms: number): void {
    if (this.detailTimer !== null) clearTimeout(this.detailTimer);
    this.detailTimer = setTimeout(() => void this.loadDetail(), ms);
  }

  private async loadDetail(): Promise<void> {
    const id = this.selectedId;
    if (id === null) return;
    try {
      const data = await api.incident(id);
      if (this.selectedId !== id) return;
      const placedNow = this.detail.phase !== "ready" && !this.live.incidents.has(id);
      this.detail = { phase: "ready", id, data };
      if (placedNow) this.goToPlace(data.place);
    } catch (fault) {
      if (this.selectedId === id && this.detail.phase !== "ready") this.detail = { phase: "error", id, why: asRefusal(fault) };
    }
  }

  take(row: Incident): void {
    this.live = evolve(this.live, [{ seq: "", kind: "incident", ref: row.id, op: "upsert", row }]);
    if (row.id === this.selectedId) this.loadDetailSoon(50);
  }

  private takeGrant(row: Grant): void {
    this.live = evolve(this.live, [{ seq: "", kind: "grant", ref: row.id, op: "upsert", row }]);
    if (row.incident_id === this.selectedId) this.loadDetailSoon(50);
  }

  async act(incident: Incident, action: IncidentAction, body: Record<string, unknown> = {}): Promise<boolean> {
    return this.trying(async () => this.take(await api.act(incident.id, action, { version: incident.version, ...body })));
  }

  async locate(incident: Incident, lon: number, lat: number, how: string): Promise<void> {
    this.picking = null;
    this.relocating = null;
    if (await this.act(incident, "locate", { lon, lat, how })) this.map?.goTo(lon, lat, 16);
  }

  async openIncident(body: Record<string, unknown>): Promise<boolean> {
    return this.trying(async () => {
      const row = await api.openIncident(body);
      this.take(row);
      this.select(row.id);
    });
  }

  async decide(grant: Grant, verdict: "approve" | "deny" | "revoke" | "extend", reason: string): Promise<boolean> {
    return this.trying(async () => this.takeGrant(await api.decide(grant.id, verdict, reason)));
  }

  async requestGrant(incident: Incident, cameraIds: string[]): Promise<void> {
    await this.trying(async () => this.takeGrant(await api.requestGrant(incident.id, cameraIds)));
  }

  async breakGlass(cameras: { id: string; label: string }[], reason: string): Promise<boolean> {
    return this.trying(async () => {
      const grant = await api.breakGlass(cameras.map((camera) => camera.id), reason);
      this.takeGrant(grant);
      this.show(cameras.map((camera) => this.tileOf(camera.id, camera.label, grant.id, null)), true);
    });
  }

  // --- the wall --------------------------------------------------------------------------------------------------

  /** 투망: open the cameras around the chosen incident, else around the middle of the map. */
  async throwNet(): Promise<void> {
    if (!this.can("view_live")) return this.toast("bad", settings.say(TEXTS.forbidden));
    await this.trying(async () => {
      const incident = this.placedIncident;
      const cameras = await this.camerasAround(incident);
      const catchSize = this.layout === 1 ? 4 : this.layout;
      const chosen = catchOf(cameras.filter((camera) => camera.health !== "offline"), catchSize);
      if (chosen.length === 0) return this.toast("plain", settings.say(TEXTS.net_none));
      this.show(chosen.map((camera) => this.tileOfRanked(camera, incident)));
      this.toast("good", settings.say(netThrown(chosen.length)));
    });
  }

  /** An incident without a place lends its name and its grants to no camera. */
  private get placedIncident(): Incident | null {
    return this.selected?.place.lon == null ? null : this.selected;
  }

  private async camerasAround(incident: Incident | null): Promise<RankedCamera[]> {
    if (incident !== null && this.detail.phase === "ready" && this.detail.id === incident.id) {
      if (this.detail.data.cameras.length > 0) return this.detail.data.cameras;
    }
    const { lon, lat } = incident?.place ?? {};
    const at = typeof lon === "number" && typeof lat === "number" ? { lon, lat } : this.map?.centre();
    return at ? api.near(at.lon, at.lat, 12) : [];
  }

  tileOfRanked(camera: RankedCamera, incident: Incident | null): Tile {
    return { ...this.tileOf(camera.id, camera.label, camera.grant_id, incident), distanceM: camera.distance_m };
  }

  /** The grant is the one that covers the camera; without one the duty roster is asked. */
  tileOf(cameraId: string, label: string, grantId: string | null, incident: Incident | null): Tile {
    return {
      key: `${cameraId}:${Date.now()}`,
      cameraId,
      label,
      grantId,
      incidentId: incident?.id ?? null,
      incidentNumber: incident?.number ?? null,
      distanceM: null,
    };
  }

  show(added: Tile[], replace = false): void {
    const ids = new Set(added.map((tile) => tile.cameraId));
    const kept = replace ? this.tiles.filter((tile) => !ids.has(tile.cameraId)) : this.tiles;
    const { tiles, layout, dropped } = hang(kept, added, this.layout);
    this.tiles = tiles;
    this.layout = layout;
    if (dropped.length > 0) this.toast("plain", settings.say(TEXTS.wall_full));
    if (this.wallMode === "hidden") this.wallMode = "dock";
  }

  isShown(cameraId: string): boolean {
    return this.tiles.some((tile) => tile.cameraId === cameraId);
  }

  closeCamera(cameraId: string): void {
    for (const tile of this.tiles) if (tile.cameraId === cameraId) this.closeTile(tile.key);
  }

  closeTile(key: string): void {
    this.tiles = this.tiles.filter((tile) => tile.key !== key);
    if (this.enlarged === key) this.enlarged = null;
    if (this.tiles.length === 0) this.wallMode = "hidden";
  }

  closeAllTiles(): void {
    this.tiles = [];
    this.enlarged = null;
    this.wallMode = "hidden";
  }

  setLayout(layout: Layout): void {
    this.layout = layoutFor(0, layout);
    this.enlarged = null;
    this.tiles = this.tiles.slice(-layout);
    if (this.wallMode === "hidden") this.wallMode = "dock";
  }

  toggleWall(): void {
    this.wallMode = this.wallMode === "full" ? "dock" : "full";
  }

  // --- small moves -----------------------------------------------------------------------------------------------

  /** Let the next click on the map place the chosen incident. */
  startPicking(): void {
    if (this.selected !== null && this.can("work_incident")) {
      this.picking = this.selected.id;
      this.map?.focus();
    }
  }

  /** Break-glass for what is looked at: the enlarged or refused tiles, else the nearest cameras of the incident. */
  askBreakGlass(cameras: { id: string; label: string }[] = this.breakGlassTargets()): void {
    if (!this.can("break_glass")) return this.toast("bad", settings.say(TEXTS.forbidden));
    if (cameras.length === 0) return this.toast("plain", settings.say(TEXTS.break_glass_pick));
    this.dialog = { kind: "break_glass", cameras };
  }

  private breakGlassTargets(): { id: string; label: string }[] {
    if (this.tiles.length > 0) return this.tiles.map((tile) => ({ id: tile.cameraId, label: tile.label }));
    const cameras = this.detail.phase === "ready" ? this.detail.data.cameras : [];
    return catchOf(cameras, 4).map((camera) => ({ id: camera.id, label: camera.label }));
  }

  /** Escape steps back: picking, search, enlarged tile, full wall. */
  escape(): void {
    if (this.picking !== null) this.picking = null;
    else if (this.searching) this.searching = false;
    else if (this.enlarged !== null) this.enlarged = null;
    else if (this.wallMode === "full") this.wallMode = "dock";
  }

  // --- duty and talk ---------------------------------------------------------------------------------------------

  async startShift(hours: number): Promise<boolean> {
    return this.trying(async () => {
      await api.startShift(hours);
      await this.refreshMe();
    });
  }

  async endShift(): Promise<boolean> {
    return this.trying(async () => {
      await api.endShift();
      await this.refreshMe();
    });
  }

  toast(tone: Toast["tone"], text: string, action?: Toast["action"]): void {
    const id = (this.toastId += 1);
    this.toasts = [...this.toasts.slice(-3), { id, tone, text, ...(action ? { action } : {}) }];
    setTimeout(() => this.dropToast(id), action ? 20_000 : tone === "bad" ? 9_000 : 4_000);
  }

  dropToast(id: number): void {
    this.toasts = this.toasts.filter((toast) => toast.id !== id);
  }

  complain(fault: unknown): void {
    const why = asRefusal(fault);
    this.toast("bad", settings.main === "ko" ? why.ko : why.en);
  }

  /** Run a call; say so if it is refused. True when it went through. */
  async trying(run: () => Promise<void> | void): Promise<boolean> {
    this.busy = true;
    try {
      await run();
      return true;
    } catch (fault) {
      if (asRefusal(fault).status === 401) this.onLine("logged_out", null);
      else this.complain(fault);
      return false;
    } finally {
      this.busy = false;
    }
  }
}

function asRefusal(fault: unknown): Refusal {
  return fault instanceof Refusal ? fault : new Refusal(0, "fault", "화면에서 오류가 났습니다.", String(fault));
}

export const desk = new Desk();
