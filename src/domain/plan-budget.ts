import {
  type Fixed,
  ONE,
  absolute,
  divide,
  divideDown,
  fixed,
  fixedOf,
  multiply,
  multiplyUp,
  smaller,
} from "./fixed.ts";
import type { MarketSnapshot } from "./market.ts";
import type { Ledger, PortfolioView } from "./portfolio.ts";
import { usablePrice } from "./price.ts";
import type { MarketType, RiskLimits } from "./trading.ts";

export interface BudgetInput {
  ledger: Ledger;
  view: PortfolioView;
  market: Pick<MarketSnapshot, "quotes">;
  marketType: MarketType;
  limits: RiskLimits;
  /** Fraction of notional. */
  takerFeeRate: number;
  /** Fraction of price. */
  slippageRate: number;
}

interface Held {
  /** Base currency, signed. */
  quantity: Fixed;
  mark: Fixed;
  leverage: Fixed;
}

/**
 * What a plan may still spend while its orders are being worked out, one after the other. Every order
 * is charged with the worst fee and slippage of its channel; a reduction gives back what it frees.
 */
export class PlanBudget {
  readonly #spot: boolean;
  readonly #maxLeverage: Fixed;
  readonly #fee: Fixed;
  readonly #slippage: Fixed;
  readonly #held = new Map<string, Held>();
  #cash: Fixed;
  #equity: Fixed;
  /** Σ |notional| */
  #gross = 0n;
  /** Σ |notional| ÷ leverage */
  #margin = 0n;

  constructor(input: BudgetInput) {
    this.#spot = input.marketType === "spot";
    this.#maxLeverage = this.#spot ? ONE : fixedOf(Math.max(1, input.limits.maxLeverage));
    this.#fee = fixedOf(Math.max(0, input.takerFeeRate));
    this.#slippage = fixedOf(Math.max(0, input.slippageRate));
    this.#cash = fixed(input.ledger.cash);
    this.#equity = fixed(input.view.totalValue);
    for (const position of Object.values(input.ledger.positions)) {
      const mark = usablePrice(input.market.quotes[position.symbol]) ?? fixed(position.markPrice);
      const leverage = fixedOf(Math.max(1, position.leverage));
      this.#add(position.symbol, { quantity: fixed(position.quantity), mark, leverage });
    }
  }

  /** Base currency, signed. */
  quantityOf(symbol: string): Fixed {
    return this.#held.get(symbol)?.quantity ?? 0n;
  }

  leverageOf(symbol: string): number {
    const leverage = this.#held.get(symbol)?.leverage ?? ONE;
    return Number(leverage) / Number(ONE);
  }

  get symbolsHeld(): number {
    return this.#held.size;
  }

  /** The most of `wanted` that may be opened at `price`. */
  affordable(wanted: Fixed, price: Fixed, leverage: number): Fixed {
    const most = this.#spot
      ? this.#mostSpot(wanted, price)
      : smaller(wanted, this.#mostPerpetual(price, fixedOf(leverage)));
    return most < 0n ? 0n : most;
  }

  /** `signed`: base currency, its sign the direction. */
  open(
    symbol: string,
    signed: Fixed,
    { price, leverage }: { price: Fixed; leverage: number },
  ): void {
    const size = absolute(signed);
    this.#cash -= this.#spotNeed(size, price);
    this.#equity -= multiply(size, this.#unitLoss(price));
    const before = this.#remove(symbol) ?? { quantity: 0n, leverage: ONE };
    const kept = absolute(before.quantity);
    this.#add(symbol, {
      quantity: before.quantity + signed,
      mark: price,
      leverage: (kept * before.leverage + size * fixedOf(leverage)) / (kept + size),
    });
  }

  /** Without a fresh price nothing is freed: the order may well be rejected. */
  reduce(symbol: string, signed: Fixed, freshPrice: Fixed | null): void {
    const before = this.#held.get(symbol);
    if (before === undefined) return;
    const quantity = before.quantity + signed;
    if (freshPrice === null) {
      this.#held.set(symbol, { ...before, quantity });
      return;
    }
    this.#remove(symbol);
    if (quantity !== 0n) this.#add(symbol, { ...before, quantity });
    const size = absolute(signed);
    this.#equity -= multiply(size, this.#unitLoss(freshPrice));
    const worst = multiply(freshPrice, ONE - this.#slippage);
    this.#cash += multiply(multiply(size, worst), ONE - this.#fee);
  }

  #mostSpot(wanted: Fixed, price: Fixed): Fixed {
    if (this.#spotNeed(wanted, price) <= this.#cash) return wanted;
    const unit = multiplyUp(this.#worstPrice(price), ONE + this.#fee);
    const fits = divideDown(this.#cash, unit);
    const over = this.#spotNeed(fits, price) - this.#cash;
    // Rounding up each amount on its own can need some units more than there are.
    return over > 0n ? fits - divideDown(over, unit) - 1n : fits;
  }

  /** Rounded up at each step, as no channel rounds worse: cash never falls below zero. */
  #spotNeed(size: Fixed, price: Fixed): Fixed {
    const notional = multiplyUp(size, this.#worstPrice(price));
    return notional + multiplyUp(notional, this.#fee);
  }

  // gross + q·p ≤ maxLeverage × (equity − q·loss) and margin + q·p ÷ leverage ≤ equity − q·loss
  #mostPerpetual(price: Fixed, leverage: Fixed): Fixed {
    const loss = this.#unitLoss(price);
    const grossRoom = multiply(this.#equity, this.#maxLeverage) - this.#gross;
    const marginRoom = this.#equity - this.#margin;
    return smaller(
      divideDown(grossRoom, price + multiplyUp(loss, this.#maxLeverage)),
      divideDown(marginRoom, divide(price, leverage) + loss),
    );
  }

  #worstPrice(price: Fixed): Fixed {
    return multiplyUp(price, ONE + this.#slippage);
  }

  /** What one unit of base currency loses in slippage and fee, quote currency. */
  #unitLoss(price: Fixed): Fixed {
    const worst = this.#worstPrice(price);
    return worst - price + multiplyUp(worst, this.#fee);
  }

  #add(symbol: string, held: Held): void {
    const notional = multiply(absolute(held.quantity), held.mark);
    this.#gross += notional;
    this.#margin += divide(notional, held.leverage);
    this.#held.set(symbol, held);
  }

  #remove(symbol: string): Held | undefined {
    const held = this.#held.get(symbol);
    if (held === undefined) return undefined;
    const notional = multiply(absolute(held.quantity), held.mark);
    this.#gross -= notional;
    this.#margin -= divide(notional, held.leverage);
    this.#held.delete(symbol);
    return held;
  }
}
