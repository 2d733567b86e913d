import type { Definition } from "#domain/definition.ts";
import { durationText } from "#domain/duration-text.ts";
import { timeframeMs } from "#domain/timeframe.ts";
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

/** A template that asks more often than its bars come; it is asked again at each start. */
export function dataAlert(definition: Definition, barMs: number): NewAlert {
  const { id, name, periodMinutes } = definition;
  const period = durationText(timeframeMs(definition));
  const bars = durationText(barMs);
  return {
    kind: "template_finer_than_data",
    severity: "warning",
    subject: id,
    strategyId: null,
    message: `${name} ticks every ${period} and its bars come every ${bars}: it decides once per bar; replay finer candles, or use a template of that period`,
    detail: { definitionId: id, periodMinutes, barMinutes: barMs / 60_000 },
  };
}
