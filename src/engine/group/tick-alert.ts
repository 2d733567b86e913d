import type { NewAlert } from "#ports/store.ts";

/** Something went wrong with a whole tick; repeated ones of a definition count up one alert. */
export function tickAlert(
  kind: "tick_timed_out" | "tick_failed",
  message: string,
  detail: { definitionId: string; tickId: string; code?: string },
): NewAlert {
  const { definitionId: subject } = detail;
  return { kind, severity: "error", subject, strategyId: null, message, detail };
}
