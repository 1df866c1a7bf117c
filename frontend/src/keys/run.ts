/** What each keyboard command does at the desk. The same actions have buttons. */

import { askReason, approveFirst } from "../incident/actions";
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
  handover: () => onDuty(() => (desk.dialog = { kind: "handover" })),
};

function onDuty(show: () => void): void {
  if (desk.can("keep_duty")) show();
}

export function runCommand(command: Command): void {
  COMMANDS[command]();
}
