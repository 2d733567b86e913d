import type { DecimalString } from "./decimal.ts";
import { type Fixed, fixed, parseFixed, smaller } from "./fixed.ts";
import type { Ledger } from "./portfolio.ts";
import type { MarketType, PlanItem } from "./trading.ts";

/** Why an item, or a part of it, left no order. Stored and shown: words, not codes. */
export const SkipReason = {
  noQuantity: "the quantity is not a positive number",
  nothingToClose: "there is nothing to close",
  noFreshPrice: "there is no fresh price to open at",
  spotShort: "a spot account cannot be short",
  exiting: "an exit of this symbol comes first",
  maxPositions: "the most symbols allowed are held already",
  maxPositionQuantity: "the position is at its largest allowed quantity",
  noBuyingPower: "there is no buying power left",
  quantityStep: "the quantity is below the exchange's step",
  minQuantity: "the quantity is below the exchange's minimum",
  minNotional: "the value is below the exchange's minimum",
} as const;
export type SkipReason = (typeof SkipReason)[keyof typeof SkipReason];

export interface SkippedItem {
  item: PlanItem;
  reason: SkipReason;
}

/** A plan item, or one side of it where it flips a position. */
export interface Step {
  item: PlanItem;
  kind: "reduce" | "open";
  buys: boolean;
  /** Base currency, > 0; caps, cash and exchange rules not yet applied. */
  quantity: Fixed;
}

export interface PlanSteps {
  steps: Step[];
  skipped: SkippedItem[];
}

/**
 * The plan as single steps in execution order: each item sees the positions as the items before it
 * would leave them, and reductions go first, so that what they free can be used. A reduction of a
 * position that the same plan opens stays behind its opening.
 */
export function stepsOf(items: readonly PlanItem[], ledger: Ledger): PlanSteps {
  const held = new Map<string, Fixed>();
  for (const { symbol, quantity } of Object.values(ledger.positions)) {
    held.set(symbol, fixed(quantity));
  }
  const plan: PlanSteps = { steps: [], skipped: [] };
  for (const item of items) {
    if (item.action === "noop") continue;
    const current = held.get(item.symbol) ?? 0n;
    const result = stepsOfItem(item, current, ledger.marketType);
    plan.steps.push(...result.steps);
    plan.skipped.push(...result.skipped);
    held.set(item.symbol, result.steps.reduce(afterStep, current));
  }
  return { steps: reductionsFirst(plan.steps), skipped: plan.skipped };
}

function stepsOfItem(item: PlanItem, current: Fixed, marketType: MarketType): PlanSteps {
  const size = positive(item.quantity);
  if (size === null) return { steps: [], skipped: [{ item, reason: SkipReason.noQuantity }] };

  const buys = item.action === "open_long" || item.action === "close_short";
  const opposite = buys ? -current : current;
  const opens = item.action === "open_long" || item.action === "open_short";
  if (!opens) return closingSteps(item, buys, smaller(size, opposite));

  const steps: Step[] = [];
  // Opening the other direction closes what is held in full, whatever the size asked for.
  if (opposite > 0n) steps.push({ item, kind: "reduce", buys, quantity: opposite });
  if (marketType === "spot" && !buys) {
    return { steps, skipped: [{ item, reason: SkipReason.spotShort }] };
  }
  steps.push({ item, kind: "open", buys, quantity: size });
  return { steps, skipped: [] };
}

function closingSteps(item: PlanItem, buys: boolean, quantity: Fixed): PlanSteps {
  if (quantity <= 0n) return { steps: [], skipped: [{ item, reason: SkipReason.nothingToClose }] };
  return { steps: [{ item, kind: "reduce", buys, quantity }], skipped: [] };
}

function afterStep(current: Fixed, step: Step): Fixed {
  return step.buys ? current + step.quantity : current - step.quantity;
}

function reductionsFirst(steps: readonly Step[]): Step[] {
  const opened = new Set<string>();
  const first: Step[] = [];
  const rest: Step[] = [];
  for (const step of steps) {
    if (step.kind === "open") opened.add(step.item.symbol);
    const leads = step.kind === "reduce" && !opened.has(step.item.symbol);
    (leads ? first : rest).push(step);
  }
  return [...first, ...rest];
}

function positive(text: DecimalString): Fixed | null {
  const value = parseFixed(text);
  return value !== null && value > 0n ? value : null;
}
