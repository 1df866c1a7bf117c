/** Calls to `/api/console/facilities`. */

import { call, query } from "../api/client";
import type {
  AvailabilityRow,
  Board,
  Facility,
  Inspection,
  MapAnswer,
  Order,
  OrderStep,
  Outage,
  OutageStep,
  Page,
  Thing,
  Wanted,
} from "./types";

const BASE = "/facilities";
const id = encodeURIComponent;

/** Only what was filled in; a vendor may be the nameless one. */
function said(values: object): string {
  const given = Object.entries(values).filter(([name, value]) => value !== null && (value !== "" || name === "vendor"));
  return query(Object.fromEntries(given) as Record<string, string | number>);
}

export const facilities = {
  board: () => call<Board>("GET", `${BASE}/board`),
  register: (wanted: Wanted, offset: number) => call<Page<Facility>>("GET", `${BASE}?${said({ ...wanted, offset })}`),
  map: (wanted: Wanted, bbox: readonly number[]) =>
    call<MapAnswer>("GET", `${BASE}/map?${said({ ...wanted, bbox: bbox.map((n) => n.toFixed(6)).join(",") })}`),
  thing: (facility: string) => call<Thing>("GET", `${BASE}/${id(facility)}`),
  outages: (ended: boolean, kind: string, offset: number) => call<Page<Outage>>("GET", `${BASE}/outages?${said({ ended: String(ended), kind, offset })}`),
  orders: (ended: boolean, offset: number) => call<Page<Order>>("GET", `${BASE}/orders?${said({ ended: String(ended), offset })}`),
  planned: (offset: number) => call<Page<Inspection>>("GET", `${BASE}/inspections?${said({ offset })}`),
  availability: (month: string) => call<{ month: string; rows: AvailabilityRow[] }>("GET", `${BASE}/availability?${said({ month })}`),
  moveOutage: (outage: Outage, step: OutageStep, reason: string) =>
    call<Outage>("POST", `${BASE}/outages/${id(outage.id)}/${step}`, { reason, version: outage.version }),
  moveOrder: (order: Order, step: OrderStep, reason: string, photos: string[] = [], parts: { name: string; count: number }[] = []) =>
    call<Order>("POST", `${BASE}/orders/${id(order.id)}/${step}`, { reason, photos, parts, version: order.version }),
  issue: (body: Record<string, unknown>) => call<Order>("POST", `${BASE}/orders`, body),
  report: (facility: string, text: string) => call<Outage>("POST", `${BASE}/${id(facility)}/report`, { text }),
  plan: (facility: string, due_on: string, assigned_to: string) => call<Inspection>("POST", `${BASE}/${id(facility)}/plan`, { due_on, assigned_to }),
  inspect: (facility: string, body: Record<string, unknown>) => call<Inspection>("POST", `${BASE}/${id(facility)}/inspect`, body),
  cancelInspection: (inspection: Inspection, reason: string) =>
    call<Inspection>("POST", `${BASE}/inspections/${id(inspection.id)}/cancel`, { reason, version: inspection.version }),
  service: (facility: string, in_service: boolean, reason: string) => call<Thing>("POST", `${BASE}/${id(facility)}/service`, { in_service, reason }),
  csv: (what: string, wanted: object = {}) => `/api/console${BASE}/export.csv?${said({ what, ...wanted })}`,
};
