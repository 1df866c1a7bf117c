/** Calls about evidence; each raises `Refusal`. */

import { api, call, csrfToken, refusalOf } from "../api/client";
import type { Deed, Evidence, Export, ExportDraft, Item } from "./types";

const id = encodeURIComponent;

export const evidence = {
  of: (incident: string) => call<Evidence>("GET", `/incidents/${id(incident)}/evidence`),
  still: (lease_id: string, reason = "") => call<Item>("POST", "/evidence/stills", { lease_id, reason }),
  record: (incident: string, camera_id: string, reason: string) =>
    call<Evidence>("POST", `/incidents/${id(incident)}/evidence/recording`, { camera_id, reason }),
  past: (incident: string, camera_id: string, reason: string) =>
    call<Evidence>("POST", `/incidents/${id(incident)}/evidence/past`, { camera_id, reason }),
  stop: (item: string) => call<Item>("POST", `/evidence/${id(item)}/stop`),
  lock: (item: string, reason: string, until: string) => call<Item>("POST", `/evidence/${id(item)}/lock`, { reason, until }),
  unlock: (item: string, reason: string) => call<Item>("POST", `/evidence/${id(item)}/unlock`, { reason }),
  history: (item: string) => call<Deed[]>("GET", `/evidence/${id(item)}/history`),
  askToRecord: (incident_id: string, camera_ids: string[]) =>
    call<unknown>("POST", "/grants", { incident_id, camera_ids, rights: ["live", "record"] }),
  askExport: (incident: string, draft: ExportDraft) => call<Evidence>("POST", `/incidents/${id(incident)}/exports`, draft),
  decide: (wanted: string, step: "approve" | "deny" | "withdraw", reason: string) =>
    call<Export>("POST", `/exports/${id(wanted)}/${step}`, { reason }),
  picture: (item: string) => `${api.base}/evidence/${id(item)}/picture`,
  film: (item: string) => `${api.base}/evidence/${id(item)}/film`,
  fetchPackage,
};

/** The package, once: saved as a file by the browser. */
async function fetchPackage(wanted: string): Promise<void> {
  const response = await fetch(`${api.base}/exports/${id(wanted)}/package`, {
    method: "POST",
    headers: { "X-CSRFToken": csrfToken(document.cookie) },
    credentials: "same-origin",
  });
  if (!response.ok) throw refusalOf(response.status, await response.json().catch(() => null), response.headers.get("Retry-After"));
  const name = /filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") ?? "")?.[1] ?? "evidence.zip";
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
