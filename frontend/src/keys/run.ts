/** What each keyboard command does at the desk. The same actions have buttons. */

import type { Incident } from "../api/types";
import { askReason, approveFirst } from "../incident/actions";
import { deeds } from "../signals/deeds.svelte";
import { takeStill } from "../evidence/taking";
import { desk } from "../state/desk.svelte";
import { settings } from "../state/settings.svelte";
import type { Command } from "./keymap";

const COMMANDS: Record<Command, () => void> = {
  net: () => void desk.throwNet(),
  search: () => (desk.searching = desk.hasDesk),
  help: () => (desk.dialog = { kind: "help" }),
  next: () => desk.step(1),
  previous: () => desk.step(-1),
  claim: () => askReason("claim"),
  verify: () => askReason("verify"),
  activate: () => askReason("activate"),
  stabilise: () => askReason("stabilise"),
  close: () => askReason("close"),
  note: () => askReason("note"),
  approve: () => approveFirst(),
  locate: () => desk.startPicking(),
  new_incident: () => {
    if (desk.can("open_incident")) desk.dialog = { kind: "new_incident" };
  },
  break_glass: () => desk.askBreakGlass(),
  wall: () => desk.toggleWall(),
  layout_1: () => desk.setLayout(1),
  layout_4: () => desk.setLayout(4),
  layout_9: () => desk.setLayout(9),
  clear_wall: () => desk.closeAllTiles(),
  mute: () => settings.change({ muted: !settings.muted }),
  map: () => desk.map?.focus(),
  steps: () => document.querySelector<HTMLElement>("[data-step-first]")?.focus(),
  tasks: () => onDuty(() => (desk.dialog = { kind: "tasks" })),
  log: () => onDuty(() => (desk.dialog = { kind: "log", incidentId: desk.selectedId })),
  still: () => {
    if (desk.can("lock_evidence")) void takeStill();
  },
  handover: () => onDuty(() => (desk.dialog = { kind: "handover" })),
  events: () => seeing(() => (desk.dialog = { kind: "events", incidentId: heldBy(desk.selected) })),
  split: () => void deeds.splitChosen(),
  merge: () => deeds.askMerge(),
  undo: () => void deeds.undo(),
  shelves: () => seeing(() => (desk.dialog = { kind: "shelves", device: null })),
  report: () => {
    if (desk.can("send_signal")) desk.dialog = { kind: "report" };
  },
  own: () => (desk.filter = desk.filter === "mine" ? "open" : "mine"),
  wall_page: () => void window.open("/wall", "madang-wall"),
};

function seeing(show: () => void): void {
  if (desk.can("view_incident")) show();
}

/** A chosen storm or incident with signals is searched itself; else the whole city is. */
function heldBy(incident: Incident | null): string | null {
  return incident !== null && (incident.signal_count ?? 0) > 0 ? incident.id : null;
}

function onDuty(show: () => void): void {
  if (desk.can("keep_duty")) show();
}

export function runCommand(command: Command): void {
  COMMANDS[command]();
}
