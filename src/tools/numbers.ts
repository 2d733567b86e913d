export const clamp = (value: number, low: number, high: number): number =>
  Math.min(high, Math.max(low, value));

/** For people and for storage: `digits` after the point, without trailing zeros. */
export const round = (value: number, digits: number): number => Number(value.toFixed(digits));

/** Population standard deviation; 0 of nothing. */
export function deviation(values: readonly number[]): number {
  const mean = average(values);
  return Math.sqrt(average(values.map((value) => (value - mean) ** 2)));
}

/** Mean; 0 of nothing. */
export function average(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Change from each close to the next as natural logarithm of their ratio. */
export function logReturns(closes: readonly number[]): number[] {
  return closes.slice(1).map((close, index) => Math.log(close / (closes[index] ?? close)));
}
