/** A browser key event as a plain value. */

import type { KeyPress } from "./keymap";

const TYPING = /^(input|textarea|select)$/i;

export function pressOf(event: KeyboardEvent): KeyPress {
  const target = event.target instanceof HTMLElement ? event.target : null;
  const checkbox = target instanceof HTMLInputElement && (target.type === "checkbox" || target.type === "radio");
  return {
    code: event.code,
    key: event.key,
    shift: event.shiftKey,
    ctrl: event.ctrlKey,
    alt: event.altKey,
    meta: event.metaKey,
    typing: event.isComposing || (target !== null && !checkbox && (TYPING.test(target.tagName) || target.isContentEditable)),
  };
}
