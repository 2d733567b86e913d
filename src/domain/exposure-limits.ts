/** Fractions of equity; a weight is signed, negative short. */
export interface ExposureLimits {
  /** Most for one symbol, absolute. */
  maxPosition: number;
  /** Most for the sum of all, absolute. */
  maxGross: number;
}

/**
 * Target weights within the limits: each is cut to `maxPosition` on its own, then all are scaled by one
 * factor if their sum is still above `maxGross`. What is cut is not given to others.
 * @public for the risk limits
 */
export function clampWeights(
  weights: Readonly<Record<string, number>>,
  { maxPosition, maxGross }: ExposureLimits,
): Record<string, number> {
  const cut = Object.entries(weights).map(([symbol, weight]): [string, number] => [
    symbol,
    Math.sign(weight) * Math.min(Math.abs(weight), maxPosition),
  ]);
  const gross = cut.reduce((sum, [, weight]) => sum + Math.abs(weight), 0);
  const factor = gross > maxGross ? maxGross / gross : 1;
  return Object.fromEntries(cut.map(([symbol, weight]) => [symbol, weight * factor]));
}
