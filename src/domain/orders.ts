import { type Fixed, absolute, fixed, fixedString, smaller } from "./fixed.ts";
import { clientOrderIdOf, instructionIdOf } from "./ids.ts";
import { fitOpening, fitReduction } from "./instrument-rules.ts";
import { type BudgetInput, PlanBudget } from "./plan-budget.ts";
import { SkipReason, type SkippedItem, type Step, stepsOf } from "./plan-step.ts";
import type { Ledger } from "./portfolio.ts";
import { freshPrice } from "./price.ts";
import type { InstrumentRules, Order, PlanItem } from "./trading.ts";

export type { SkippedItem } from "./plan-step.ts";

export interface PlanInput extends BudgetInput {
  /** The cycle; instruction ids derive from it and the order's index. */
  composeId: string;
  items: readonly PlanItem[];
  /** Orders that the cycle has made already; indices go on after them. */
  ordersBefore?: number;
  rulesOf(symbol: string): InstrumentRules;
}

export interface NormalisedPlan {
  orders: Order[];
  /** Items, or the opening side of a flip, that left no order. */
  skipped: SkippedItem[];
}

/** Quantities up to this are rounding remainders, not wishes (base currency). */
const DUST: Fixed = fixed("0.000000001");

/**
 * Turns a decision's plan into orders the channel can take, in execution order: reductions first, each
 * item netted against the ones before it, flips as a reduce-only closing order and an opening one.
 * Caps, cash, margin and exchange rules shrink or drop openings only; a reduction is never made
 * smaller than asked for, save by the exchange's step (I12). Nothing is opened without a fresh price.
 */
export function normalisePlan(input: PlanInput): NormalisedPlan {
  const { steps, skipped } = stepsOf(input.items, input.ledger);
  const plan: NormalisedPlan = { orders: [], skipped };
  const budget = new PlanBudget(input);
  for (const step of steps) {
    const reason =
      step.kind === "reduce"
        ? addReduction(plan, step, { input, budget })
        : addOpening(plan, step, { input, budget });
    if (reason !== null) skipped.push({ item: step.item, reason });
  }
  return plan;
}

/** A plan that closes everything held, by symbol. */
export function closeAllItems(ledger: Ledger): PlanItem[] {
  return Object.keys(ledger.positions)
    .sort()
    .flatMap((symbol) => closeItem(ledger, symbol));
}

/** The item that closes one symbol's whole position; none where nothing is held. */
export function closeItem(ledger: Ledger, symbol: string): PlanItem[] {
  const position = ledger.positions[symbol];
  if (position === undefined) return [];
  const quantity = fixed(position.quantity);
  const action = quantity > 0n ? "close_long" : "close_short";
  return [{ symbol, action, quantity: fixedString(absolute(quantity)) }];
}

interface Workspace {
  input: PlanInput;
  budget: PlanBudget;
}

function addReduction(
  plan: NormalisedPlan,
  step: Step,
  { input, budget }: Workspace,
): SkipReason | null {
  const { symbol } = step.item;
  const held = budget.quantityOf(symbol);
  const closable = step.buys ? -held : held;
  if (closable <= 0n) return SkipReason.nothingToClose;

  const wanted = smaller(step.quantity, closable);
  const parts = fitReduction(wanted, wanted === closable, input.rulesOf(symbol));
  if (parts.length === 0) return SkipReason.quantityStep;

  const leverage = budget.leverageOf(symbol);
  const price = freshPrice(input.market.quotes[symbol]);
  for (const quantity of parts) {
    plan.orders.push(
      orderOf(input.composeId, step, { index: nextIndex(plan, input), quantity, leverage }),
    );
    budget.reduce(symbol, step.buys ? quantity : -quantity, price);
  }
  return null;
}

function addOpening(
  plan: NormalisedPlan,
  step: Step,
  { input, budget }: Workspace,
): SkipReason | null {
  const { symbol } = step.item;
  const price = freshPrice(input.market.quotes[symbol]);
  if (price === null) return SkipReason.noFreshPrice;
  const held = budget.quantityOf(symbol);
  if (held === 0n && budget.symbolsHeld >= input.limits.maxPositions)
    return SkipReason.maxPositions;

  const allowed = smaller(step.quantity, roomFor(step, held, input));
  if (allowed <= DUST) return belowDust(step, SkipReason.maxPositionQuantity);
  const leverage = leverageFor(step.item, input);
  const affordable = budget.affordable(allowed, price, leverage);
  if (affordable <= DUST) return belowDust(step, SkipReason.noBuyingPower);

  const fitted = fitOpening(affordable, price, input.rulesOf(symbol));
  if ("reason" in fitted) return fitted.reason;
  const { quantity } = fitted;
  plan.orders.push(
    orderOf(input.composeId, step, { index: nextIndex(plan, input), quantity, leverage }),
  );
  budget.open(symbol, step.buys ? quantity : -quantity, { price, leverage });
  return null;
}

function nextIndex({ orders }: NormalisedPlan, { ordersBefore = 0 }: PlanInput): number {
  return ordersBefore + orders.length;
}

function belowDust(step: Step, reason: SkipReason): SkipReason {
  return step.quantity <= DUST ? SkipReason.noQuantity : reason;
}

/** How much the position may still grow in the step's direction. */
function roomFor(step: Step, held: Fixed, { limits }: PlanInput): Fixed {
  if (limits.maxPositionQuantity === null) return step.quantity;
  const sameWay = step.buys ? held : -held;
  return fixed(limits.maxPositionQuantity) - (sameWay > 0n ? sameWay : 0n);
}

/** What was asked for, within 1 and the strategy's limit; 1 on spot. */
function leverageFor(item: PlanItem, { marketType, limits }: PlanInput): number {
  const asked = item.leverage ?? 1;
  if (marketType === "spot" || !Number.isFinite(asked)) return 1;
  return Math.max(1, Math.min(asked, limits.maxLeverage));
}

function orderOf(
  composeId: string,
  step: Step,
  { index, quantity, leverage }: { index: number; quantity: Fixed; leverage: number },
): Order {
  const instructionId = instructionIdOf(composeId, index);
  return {
    instructionId,
    index,
    symbol: step.item.symbol,
    action: actionOf(step),
    side: step.buys ? "BUY" : "SELL",
    quantity: fixedString(quantity),
    leverage,
    priceMode: "market",
    limitPrice: null,
    reduceOnly: step.kind === "reduce",
    clientOrderId: clientOrderIdOf(instructionId),
    note: step.item.rationale ?? null,
  };
}

function actionOf({ kind, buys }: Step): Order["action"] {
  if (kind === "open") return buys ? "open_long" : "open_short";
  return buys ? "close_short" : "close_long";
}
