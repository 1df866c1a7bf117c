/** What every field of the form needs: the words, what was said about each member, and how to change one. */

import type { Finding, Json, Vocabulary } from "./types";

export interface Desk {
  readonly words: Vocabulary;
  readonly city: { lon: number; lat: number; zoom: number };
  readonly said: readonly Finding[];
  put: (path: string, value: Json | undefined) => void;
}
