/** Which rows of a long list of equal heights are drawn. Pure. */

export interface Span {
  from: number;
  to: number;
}

export function spanOf(scrolled: number, height: number, row: number, total: number, extra: number): Span {
  const seen = Math.ceil(height / row);
  const first = Math.min(Math.max(0, total - seen), Math.max(0, Math.floor(scrolled / row)));
  return { from: Math.max(0, first - extra), to: Math.min(total, first + seen + extra) };
}
