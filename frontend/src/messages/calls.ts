/** Calls about situation messages. */

import { call, query } from "../api/client";
import type { Choices, Draft, Listener, Message } from "./types";

const id = encodeURIComponent;

export const messages = {
  of: (incident: string) => call<Message[]>("GET", `/incidents/${id(incident)}/messages`),
  choices: (incident: string) => call<Choices>("GET", `/incidents/${id(incident)}/messages/choices`),
  preview: (incident: string, tiers: readonly string[]) =>
    call<Listener[]>("GET", `/incidents/${id(incident)}/messages/preview?${query({ tiers: tiers.join(",") })}`),
  send: (incident: string, draft: Draft) => call<Message[]>("POST", `/incidents/${id(incident)}/messages`, draft),
  withdraw: (message: string, reason: string) => call<Message[]>("POST", `/messages/${id(message)}/withdraw`, { reason }),
  acknowledge: (delivery: string) => call<Message[]>("POST", `/deliveries/${id(delivery)}/acknowledge`),
  next: (delivery: string) => call<Message[]>("POST", `/deliveries/${id(delivery)}/next`),
  dial: (delivery: string) => call<{ phone: string }>("POST", `/deliveries/${id(delivery)}/dial`),
  phoned: (delivery: string, reached: boolean, note: string) =>
    call<Message[]>("POST", `/deliveries/${id(delivery)}/phoned`, { reached, note }),
};
