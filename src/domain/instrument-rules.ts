import type { DecimalString } from "./decimal.ts";
import { type Fixed, fixed, multiply, smaller } from "./fixed.ts";
import { SkipReason } from "./plan-step.ts";
import type { InstrumentRules } from "./trading.ts";

/** Down to a multiple of the exchange's step. */
export function floorToStep(quantity: Fixed, step: DecimalString | null): Fixed {
  const size = limit(step);
  return size === null ? quantity : quantity - (quantity % size);
}

/** An opening quantity as the exchange takes it, or why it does not. */
export function fitOpening(
  quantity: Fixed,
  price: Fixed,
  rules: InstrumentRules,
): { quantity: Fixed } | { reason: SkipReason } {
  const most = limit(rules.maxQuantity);
  const fitted = floorToStep(
    most === null ? quantity : smaller(quantity, most),
    rules.quantityStep,
  );
  if (fitted <= 0n) return { reason: SkipReason.quantityStep };
  if (fitted < (limit(rules.minQuantity) ?? 0n)) return { reason: SkipReason.minQuantity };
  const worth = multiply(fitted, price);
  if (worth < (limit(rules.minNotional) ?? 0n)) return { reason: SkipReason.minNotional };
  return { quantity: fitted };
}

/**
 * A reduction as orders the exchange takes: on its step, split at its largest quantity, and free of
 * its minimums, which would make a remainder unclosable (I12). The last remainder of a position is
 * passed on whole even below the step: whether it can be sold is the exchange's to say.
 */
export function fitReduction(quantity: Fixed, closesAll: boolean, rules: InstrumentRules): Fixed[] {
  const onStep = floorToStep(quantity, rules.quantityStep);
  if (onStep === 0n) return closesAll ? [quantity] : [];
  const most = floorToStep(limit(rules.maxQuantity) ?? onStep, rules.quantityStep);
  return most === 0n ? [onStep] : splitAt(onStep, most);
}

function splitAt(quantity: Fixed, most: Fixed): Fixed[] {
  const parts: Fixed[] = [];
  for (let left = quantity; left > 0n; left -= most) parts.push(smaller(left, most));
  return parts;
}

/** Zero and below mean "no limit", as exchanges report it. */
function limit(text: DecimalString | null): Fixed | null {
  if (text === null) return null;
  const value = fixed(text);
  return value > 0n ? value : null;
}
