/** Calls to `/api/console/hub`. */

import { call, query } from "../api/client";
import type { Entity, EntityPage, Overview, ParkedList, Series, SubscriptionList } from "./types";

export interface EntitiesAsked {
  type: string;
  search: string;
  idPattern: string;
  q: string;
  sort: string;
  offset: number;
}

export interface SeriesAsked {
  id: string;
  attribute: string;
  from_at: string;
  to_at: string;
  points: number;
}

/** Only what was filled in. */
function said(values: object): string {
  const given = Object.entries(values).filter(([, value]) => value !== "" && value !== null);
  return query(Object.fromEntries(given) as Record<string, string | number>);
}

export const hub = {
  overview: () => call<Overview>("GET", "/hub/overview"),
  entities: (asked: EntitiesAsked) => call<EntityPage>("GET", `/hub/entities?${said(asked)}`),
  entity: (id: string) => call<Entity>("GET", `/hub/entity?${query({ id })}`),
  series: (asked: SeriesAsked) => call<Series>("GET", `/hub/series?${said(asked)}`),
  erase: (id: string, reason: string) => call<unknown>("POST", "/hub/erase", { id, reason }),
  subscriptions: () => call<SubscriptionList>("GET", "/hub/subscriptions"),
  parked: (subscription: string) => call<ParkedList>("GET", `/hub/parked?${said({ subscription })}`),
  switch: (id: string, active: boolean, reason: string) => call<unknown>("POST", `/hub/subscriptions/${active ? "resume" : "pause"}`, { id, reason }),
  parkedBody: (id: string) => call<{ id: string; bytes: number; body: unknown }>("GET", `/hub/parked/body?${query({ id })}`),
  retry: (id: string) => call<unknown>("POST", "/hub/parked/retry", { id }),
  giveUp: (id: string, reason: string) => call<unknown>("POST", "/hub/parked/give-up", { id, reason }),
};
