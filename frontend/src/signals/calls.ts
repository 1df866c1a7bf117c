/** Calls about signals; each raises `Refusal`. */

import { call, query } from "../api/client";
import type { Incident } from "../api/types";
import type { Event, Filter, Load, NewReport, Page, Shelf, Signal, Storm, Talker } from "./types";

const id = encodeURIComponent;

export const NO_FILTER: Filter = { q: "", class_code: "", priority: "", source: "", district: "" };

function given(filter: Filter): Record<string, string> {
  return Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== ""));
}

export const signalCalls = {
  storms: () => call<{ storms: Storm[] }>("GET", "/signals/storms"),
  /** The events of an incident (or storm), or of the whole city (null). */
  events: (incident: string | null, filter: Filter, offset: number, limit: number) =>
    call<Page<Event>>(
      "GET",
      `${incident === null ? "/signals/events" : `/signals/storms/${id(incident)}/events`}?${query({ ...given(filter), offset, limit })}`,
    ),
  split: (event: string, reason: string) => call<Incident>("POST", `/signals/events/${id(event)}/split`, { reason }),
  merge: (incident_id: string, into_id: string) => call<Incident>("POST", "/signals/merge", { incident_id, into_id }),
  of: (incident: string, offset: number, limit: number) =>
    call<Page<Signal>>("GET", `/signals/of/${id(incident)}?${query({ offset, limit })}`),
  load: () => call<Load>("GET", "/signals/load"),
  report: (told: NewReport) => call<Signal & { incident_id: string | null; receipt: string }>("POST", "/signals/reports", told),
  talkers: () => call<{ devices: Talker[] }>("GET", "/signals/talkers"),
  shelves: (ended: boolean) => call<{ shelves: Shelf[] }>("GET", `/signals/shelves?${query({ ended: String(ended) })}`),
  shelve: (source: string, device: string, minutes: number, reason: string, mode: string) =>
    call<Shelf>("POST", "/signals/shelves", { source, device, minutes, reason, mode }),
  unshelve: (shelf: string, reason: string) => call<Shelf>("POST", `/signals/shelves/${id(shelf)}/unshelve`, { reason }),
  onShelf: (shelf: string, offset: number, limit: number) =>
    call<Page<Signal>>("GET", `/signals/shelves/${id(shelf)}/signals?${query({ offset, limit })}`),
};
