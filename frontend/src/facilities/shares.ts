/** Shares and days as people read them. Pure. */

/** `99.82 %`; a share of nothing known has no number. Never rounds up to a whole that it is not. */
export function shareText(share: number | null): string | null {
  if (share === null) return null;
  const hundredths = share >= 1 ? 10_000 : Math.min(9_999, Math.floor(share * 10_000 + 1e-6));
  return `${(hundredths / 100).toFixed(hundredths % 100 === 0 ? 0 : 2)} %`;
}

/** Coverage without decimals; a little is never shown as nothing, nearly all never as all. */
export function coverageText(share: number | null): string {
  if (share === null || share <= 0) return "0 %";
  if (share >= 1) return "100 %";
  return `${Math.min(99, Math.max(1, Math.round(share * 100)))} %`;
}
