/** The server's memory of what a person's desk shows, for walls on other machines. */

import { call } from "../api/client";
import type { Said } from "./said";

export const deskCalls = {
  tell: (said: Said) => call<unknown>("POST", "/desk", { incident_id: said.incident_id ?? "", tiles: said.tiles, enlarged: said.enlarged ?? "" }),
  shown: () => call<{ desk: unknown; authority: string }>("GET", "/desk"),
};
