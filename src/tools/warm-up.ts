/** What may be left of the value an average was started with before the average counts. */
const NEGLIGIBLE = 1e-6;

/** Bars after which an exponential average, started at the first of them, no longer shows its start. */
export function emaBars(period: number): number {
  return 1 + updatesUntilGone(2 / (period + 1));
}

/** The same for Wilder's average, which is started with the mean of its first `period` values. */
export function wilderBars(period: number): number {
  return period + wilderMemory(period);
}

/** Updates after which Wilder's average has forgotten a value. */
export function wilderMemory(period: number): number {
  return updatesUntilGone(1 / period);
}

/** Smallest n with (1 − share of the newest value)^n < 1e-6. */
function updatesUntilGone(share: number): number {
  if (share >= 1) return 1;
  return Math.floor(Math.log(NEGLIGIBLE) / Math.log(1 - share)) + 1;
}
