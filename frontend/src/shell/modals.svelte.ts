/** How many modal sheets are open: what must be seen and used meanwhile is drawn inside the topmost one. */

class Modals {
  open = $state(0);
}

export const modals = new Modals();

/** The name under which a screen lends its sheets what they draw above themselves (its toasts). */
export const ABOVE = "madang.above";
