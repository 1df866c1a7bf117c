/** Two sentences word by word: what stayed, what went, what came. Pure. */

export interface Piece {
  kind: "same" | "gone" | "new";
  text: string;
}

/** Longest common run of words; neighbouring pieces of a kind are joined. */
export function difference(before: string, after: string): Piece[] {
  const [old, now] = [wordsOf(before), wordsOf(after)];
  const table = lengths(old, now);
  const found: Piece[] = [];
  let [i, j] = [0, 0];
  while (i < old.length || j < now.length) {
    const [gone, come] = [old[i], now[j]];
    if (gone !== undefined && gone === come) {
      add(found, "same", gone);
      i += 1;
      j += 1;
    } else if (come === undefined || (gone !== undefined && at(table, i + 1, j) >= at(table, i, j + 1))) {
      add(found, "gone", gone ?? "");
      i += 1;
    } else {
      add(found, "new", come);
      j += 1;
    }
  }
  return found;
}

function wordsOf(text: string): string[] {
  return text.match(/\S+\s*/g) ?? [];
}

function at(table: readonly (readonly number[])[], i: number, j: number): number {
  return table[i]?.[j] ?? 0;
}

function lengths(old: readonly string[], now: readonly string[]): number[][] {
  const table = Array.from({ length: old.length + 1 }, () => new Array<number>(now.length + 1).fill(0));
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = now.length - 1; j >= 0; j -= 1) {
      const row = table[i];
      if (row) row[j] = old[i] === now[j] ? at(table, i + 1, j + 1) + 1 : Math.max(at(table, i + 1, j), at(table, i, j + 1));
    }
  }
  return table;
}

function add(found: Piece[], kind: Piece["kind"], text: string): void {
  const last = found.at(-1);
  if (last?.kind === kind) last.text += text;
  else found.push({ kind, text });
}
