/** The rows of `/api/console`. Instants are RFC 3339 UTC, places WGS84 lon/lat, lengths metres. */

export type Mode = "live" | "exercise" | "simulated";
export type Instant = string;

export interface Authority {
  code: string;
  name_ko: string;
  name_en: string;
  lon: number;
  lat: number;
  zoom: number;
}

export interface Duty {
  from_at: Instant;
  to_at: Instant;
}

export interface Me {
  person: { id: string; name: string };
  authority: Authority;
  authorities: Authority[];
  roles: string[];
  roles_ko?: string[];
  rights: string[];
  on_duty: Duty | null;
  media_url: string;
  /** Whether the back office has anything for this person. */
  office?: boolean;
  mode_banner: "simulated" | "exercise" | null;
  version: string;
}

export type IncidentState =
  | "NEW"
  | "VERIFYING"
  | "ACTIVE"
  | "STABILISED"
  | "CLOSED"
  | "REVIEWED"
  | "DISMISSED"
  | "MERGED"
  | "CANCELLED";

export type PlaceState = "located" | "unlocated" | "approximate" | "outside";

export interface Place {
  state: PlaceState;
  lon: number | null;
  lat: number | null;
  accuracy_m: number | null;
  address: string | null;
  district: string | null;
}

export interface Candidate {
  label: string;
  lon: number;
  lat: number;
  score: number;
  kind: string;
}

export interface Incident {
  id: string;
  number: string;
  version: number;
  mode: Mode;
  authority: string;
  source: string;
  agency: { code: string; name_ko: string } | null;
  call_no: string | null;
  class_code: string;
  class_ko: string;
  class_en: string;
  priority: number;
  state: IncidentState;
  place: Place;
  candidates: Candidate[];
  owner: { id: string; name: string } | null;
  opened_at: Instant;
  updated_at: Instant;
  closed_at: Instant | null;
  note: string | null;
  outcome?: string;
  doubts?: { field: string; why: string }[];
  cameras_offered: number;
  pending_grants: number;
  parent_id?: string | null;
  signal_count?: number;
  last_signal_at?: Instant | null;
  caller?: { phone: string; name: string } | null;
}

export interface TimelineEntry {
  seq: number;
  at: Instant;
  actor: string;
  kind: string;
  text_ko: string;
  text_en: string;
  /** The still this line tells of. */
  still?: string;
}

export type Health = "ok" | "degraded" | "offline" | "unknown";
export type Sees = "yes" | "unknown" | "no";
export type Dori = "identify" | "recognise" | "observe" | "detect" | "beyond";

export interface RankedCamera {
  id: string;
  label: string;
  site_id: string;
  lon: number;
  lat: number;
  azimuth_deg: number | null;
  hfov_deg: number;
  range_m: number;
  distance_m: number;
  bearing_deg: number;
  sees: Sees;
  dori: Dori | null;
  health: Health;
  health_at: Instant | null;
  purpose: string;
  ptz: boolean;
  score: number;
  grant_id: string | null;
  reasons: { ko: string; en: string }[];
  free_m?: (number | null)[] | null;
}

export type GrantKind = "case" | "roster" | "break_glass";

export interface Grant {
  id: string;
  incident_id: string | null;
  incident_number: string | null;
  case_id: string | null;
  state: string;
  kind: GrantKind;
  recipient: { kind: string; code: string; name_ko: string };
  rights: string[];
  camera_ids: string[];
  basis: string;
  basis_ko: string;
  purpose: string;
  requested_at: Instant;
  decided_at: Instant | null;
  not_before: Instant | null;
  expires_at: Instant | null;
  decided_by: string | null;
  rule: string | null;
  reason: string | null;
  version: number;
  viewers: number;
  requested_by: string | null;
  requested_by_name?: string;
  decided_by_name?: string;
}

export interface Task {
  id: string;
  kind: string;
  incident_id: string;
  incident_number: string;
  state: string;
  due_at: Instant | null;
  text_ko: string;
  text_en: string;
  assignee?: { id: string; name: string } | null;
  snoozed_until?: Instant | null;
  snooze_reason?: string;
  /** Whether a person's word ends it; others end when the thing itself is done. */
  by_hand?: boolean;
}

export interface Link {
  name: string;
  agency: { code: string; name_ko: string } | null;
  state: "up" | "down" | "never";
  last_heard_at: Instant | null;
  mode: Mode;
}

export interface Feed {
  name: string;
  kind: string;
  last_at: Instant | null;
  age_s?: number | null;
  stale_after_s: number;
  count: number;
  rejects: number;
}

export interface Counters {
  dead_letters: number | null;
  rejects: number | null;
  alarms: number | null;
}

export interface Snapshot {
  cursor: number | string;
  incidents: Incident[];
  grants: Grant[];
  tasks: Task[];
  links: Link[];
  feeds: Feed[];
  counters: Counters;
  now: Instant;
}

export interface IncidentDetail extends Incident {
  timeline: TimelineEntry[];
  cameras: RankedCamera[];
  grants: Grant[];
  tasks: Task[];
}

export interface CameraTable {
  columns: string[];
  rows: unknown[][];
  total: number;
  clipped: boolean;
  clusters: { lon: number; lat: number; count: number; worst: Health }[];
}

/** One camera of the map, read out of a `CameraTable`. */
export interface MapCamera {
  id: string;
  lon: number;
  lat: number;
  azimuth_deg: number | null;
  hfov_deg: number;
  range_m: number;
  health: Health;
  purpose: string;
  ptz: boolean;
  label: string;
  site_id: string;
}

export interface SearchAnswer {
  cameras: MapCamera[];
  incidents: Incident[];
  places: Candidate[];
}

export interface LeaseTicket {
  lease_id: string;
  token: string;
  url: string;
  expires_at: Instant;
  renew_after_s: number;
  overlay: { viewer: string; incident: string | null; mode: Mode };
}

export type FeatureCollection = GeoJSON.FeatureCollection<GeoJSON.Geometry, Record<string, unknown> | null>;

export interface Basemap {
  boundaries: FeatureCollection;
  roads: FeatureCollection;
  buildings: FeatureCollection;
  water: FeatureCollection;
  parks?: FeatureCollection;
  labels: FeatureCollection;
  rev: string;
}

export interface RosterRow {
  person: { id: string; name: string };
  from_at: Instant;
  to_at: Instant;
}
