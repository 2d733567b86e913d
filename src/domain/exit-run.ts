// One position led through the bars that closed since it was last looked at, in the order in which a bar
// can be known: what is due at its open, then stop or liquidation, then the target.
import type { BarVolumes, VolumeSource } from "./bar-volumes.ts";
import type { ExitCause, OpenExit } from "./exit.ts";
import { type ExitLevels, isLostAt, isWonAt } from "./exit-levels.ts";
import { type Fixed, absolute, fixed, fixedString, larger, multiply, smaller } from "./fixed.ts";
import { floorToStep } from "./instrument-rules.ts";
import { applyFill, applyFunding } from "./ledger.ts";
import type { FundingEvent, MarketSnapshot } from "./market.ts";
import { type PaperTerms, slipped } from "./paper-terms.ts";
import { type Backing, backingOf } from "./perpetual.ts";
import type { Ledger, Position, TradeLeg } from "./portfolio.ts";
import type { SeenBar } from "./seen-bars.ts";
import { takeover } from "./takeover.ts";
import type { Fill, InstrumentRules } from "./trading.ts";

export interface ExitRunInput {
  symbol: string;
  ledger: Ledger;
  levels: ExitLevels;
  /** Since when the target is in force, ms UTC. */
  targetSince: number;
  /** An exit of an earlier cycle that goes on. */
  underWay: OpenExit | null;
  bars: readonly SeenBar[];
  /** Payments of this symbol due since the last look, oldest first. */
  funding: readonly FundingEvent[];
  quotes: MarketSnapshot["quotes"];
  terms: PaperTerms;
  rules: InstrumentRules;
  volumes: BarVolumes;
  instructionId: string;
}

/** What became of the exit of one position. */
export interface ExitOutcome {
  cause: ExitCause;
  /** What set it off, in words; null for one that was under way already. */
  trigger: string | null;
  long: boolean;
  leverage: number;
  fills: Fill[];
  legs: TradeLeg[];
  /** Base currency: what it should have closed in this cycle. */
  asked: Fixed;
  /** Base currency: still to be closed. */
  left: Fixed;
  /** Why something is left. */
  shortfall: string | null;
  /** When it began, ms UTC. */
  since: number;
}

interface Running {
  cause: ExitCause;
  trigger: string | null;
  since: number;
  left: Fixed;
}

export class ExitRun {
  readonly #input: ExitRunInput;
  readonly #held: Position;
  readonly #long: boolean;
  readonly #fills: Fill[] = [];
  readonly #legs: TradeLeg[] = [];
  #ledger: Ledger;
  #exit: Running | null = null;
  #shortfall: string | null = null;
  #funded = 0;
  #backing: Backing | null | undefined;
  /** The last price known before the bar in hand. */
  #before: Fixed;

  /** `held`: the position in `input.symbol`. */
  constructor(input: ExitRunInput, held: Position) {
    this.#input = input;
    this.#held = held;
    this.#ledger = input.ledger;
    this.#long = input.levels.long;
    this.#before = fixed(held.markPrice);
    const { underWay } = input;
    if (underWay === null) return;
    const left = smaller(fixed(underWay.remaining), this.#size);
    this.#exit = { cause: underWay.cause, trigger: null, since: underWay.since, left };
  }

  /** The money after the run, funding of the time included. */
  get ledger(): Ledger {
    return this.#ledger;
  }

  /** Null where no exit began, or one under way had no chance. */
  run(): ExitOutcome | null {
    for (const bar of this.#input.bars) {
      if (bar.openAt >= this.#held.entryAt) {
        this.#settleFunding(bar.openAt);
        this.#atOpen(bar);
      }
      this.#settleFunding(bar.closeAt);
      this.#inside(bar);
      if (this.#size === 0n) break;
      this.#before = bar.close;
    }
    this.#settleFunding(Infinity);
    return this.#outcome();
  }

  #atOpen(bar: SeenBar): void {
    const { open, openAt } = bar;
    const { levels } = this.#input;
    if (open === null) return;
    if (isLostAt(this.#liquidationPrice(), open, this.#long)) {
      this.#takeOver(open, openAt);
      return;
    }
    if (isLostAt(levels.stop, open, this.#long)) {
      this.#begin(
        "stop_loss",
        `${this.#stopText()} passed at the open ${fixedString(open)}`,
        openAt,
      );
    } else if (!this.#isLeaving && isWonAt(levels.target, open, this.#long)) {
      this.#targetAtOpen(bar, open, levels.target);
      return;
    }
    if (this.#exit !== null && openAt >= this.#exit.since) this.#fill(bar, open, openAt);
  }

  /**
   * A gap over the target, or a target set at this open, is met at the open. One that took effect
   * inside an earlier bar was met at a price nobody knows: the worst of this bar counts.
   */
  #targetAtOpen(bar: SeenBar, open: Fixed, target: Fixed): void {
    const isGap = !isWonAt(target, this.#before, this.#long);
    const isMet = isGap || this.#input.targetSince >= bar.openAt;
    const worst = this.#long ? larger(target, bar.low) : smaller(target, bar.high);
    this.#begin("take_profit", `${this.#targetText()} reached at the open`, bar.openAt);
    if (isMet) this.#fill(bar, open, bar.openAt);
    else this.#fill(bar, worst, bar.closeAt);
  }

  #inside(bar: SeenBar): void {
    const { levels } = this.#input;
    const worst = this.#long ? bar.low : bar.high;
    const began = this.#exit;
    if (!this.#isLeaving && this.#isStopFirst(worst)) {
      this.#begin("stop_loss", `${this.#stopText()} reached: ${rangeText(bar)}`, bar.closeAt);
      this.#fill(bar, this.#tradedAt(levels.stop, bar), bar.closeAt);
    }
    const liquidation = this.#liquidationPrice();
    if (this.#size > 0n && isLostAt(liquidation, worst, this.#long)) {
      this.#takeOver(this.#tradedAt(liquidation, bar), bar.closeAt);
      return;
    }
    if (!this.#isLeaving) this.#targetInside(bar);
    // An exit asked for while this bar was under way: its close is the first price after that.
    const isLate = began !== null && (bar.open === null || bar.openAt < began.since);
    if (isLate && this.#exit === began && bar.closeAt >= began.since) {
      this.#fill(bar, bar.close, bar.closeAt);
    }
  }

  /** The best of a bar that was under way at the entry may have been before it: its close was not. */
  #targetInside(bar: SeenBar): void {
    const { target } = this.#input.levels;
    const isWhole = bar.openAt >= this.#held.entryAt;
    const best = isWhole ? (this.#long ? bar.high : bar.low) : bar.close;
    if (!isWonAt(target, best, this.#long)) return;
    this.#begin("take_profit", `${this.#targetText()} reached: ${rangeText(bar)}`, bar.closeAt);
    this.#fill(bar, this.#reachedAt(target, bar), bar.closeAt);
  }

  /** On its way down the price meets the nearer of stop and liquidation first. */
  #isStopFirst(worst: Fixed): boolean {
    const { stop } = this.#input.levels;
    if (!isLostAt(stop, worst, this.#long)) return false;
    return !isLostAt(this.#liquidationPrice(), stop, this.#long);
  }

  /** The level, or the close where the bar's prices were all beyond it: a gap nobody saw. */
  #tradedAt(level: Fixed | null, bar: SeenBar): Fixed {
    const best = this.#long ? bar.high : bar.low;
    return level === null || isLostAt(level, best, this.#long) ? bar.close : level;
  }

  #reachedAt(target: Fixed, bar: SeenBar): Fixed {
    const worst = this.#long ? bar.low : bar.high;
    return isWonAt(target, worst, this.#long) ? worst : target;
  }

  /** The whole position is to go, whatever part of it was under way. */
  #begin(cause: ExitCause, trigger: string, since: number): void {
    const isWhole = this.#isLeaving;
    if (!isWhole) this.#exit = { cause, trigger, since, left: this.#size };
  }

  #fill(bar: SeenBar, price: Fixed, at: number): void {
    const exit = this.#exit;
    if (exit === null || exit.left <= 0n) return;
    const { symbol, terms, volumes, rules } = this.#input;
    const made = slipped(price, !this.#long, terms);
    if (isLostAt(this.#liquidationPrice(), made, this.#long)) {
      this.#takeOver(price, at);
      return;
    }
    const source: VolumeSource = { symbol, barCloseAt: bar.key, volume: bar.volume };
    const asked = exit.left;
    const most = volumes.available(source);
    const filled = most === null || asked <= most ? asked : floorToStep(most, rules.quantityStep);
    exit.left = asked - filled;
    this.#shortfall = exit.left === 0n ? null : volumes.shortfall(source, { asked, filled });
    if (filled === 0n) return;
    volumes.take(source, filled);
    const fee = multiply(multiply(filled, made), terms.feeRate);
    this.#book({ quantity: filled, price: made, fee, at });
  }

  /** The venue takes what is left of the position with its margin, whatever the bar's volume. */
  #takeOver(price: Fixed, at: number): void {
    const { terms, symbol } = this.#input;
    const position = this.#ledger.positions[symbol];
    const backing = this.#backingNow();
    if (position === undefined || backing === null) return;
    const level = fixedString(backing.liquidationPrice ?? price);
    const left = absolute(fixed(position.quantity));
    const trigger = `liquidated: the price crossed ${level}`;
    this.#exit = { cause: "liquidation", trigger, since: at, left };
    this.#book({ ...takeover(position, backing.wallet, slipped(price, !this.#long, terms)), at });
    this.#exit.left = 0n;
    this.#shortfall = null;
  }

  #book(part: { quantity: Fixed; price: Fixed; fee: Fixed; at: number }): void {
    const { symbol, instructionId } = this.#input;
    const fill: Fill = {
      symbol,
      side: this.#long ? "SELL" : "BUY",
      quantity: fixedString(part.quantity),
      price: fixedString(part.price),
      fee: { amount: fixedString(part.fee), currency: "quote" },
      at: part.at,
      leverage: this.#held.leverage,
    };
    const fillIndex = this.#fills.push(fill) - 1;
    const booked = applyFill(this.#ledger, fill, { instructionId, fillIndex });
    this.#legs.push(...booked.legs);
    this.#move(booked.ledger);
  }

  #settleFunding(until: number): void {
    const { funding } = this.#input;
    for (let due = funding[this.#funded]; due !== undefined && due.at <= until;) {
      this.#move(applyFunding(this.#ledger, due));
      this.#funded += 1;
      due = funding[this.#funded];
    }
  }

  #move(ledger: Ledger): void {
    this.#ledger = ledger;
    this.#backing = undefined;
  }

  #liquidationPrice(): Fixed | null {
    return this.#backingNow()?.liquidationPrice ?? null;
  }

  #backingNow(): Backing | null {
    const { symbol, terms, quotes } = this.#input;
    if (this.#backing === undefined) {
      const model = terms.liquidation;
      this.#backing = model === null ? null : backingOf(this.#ledger, symbol, { quotes, model });
    }
    return this.#backing;
  }

  /** Base currency still held. */
  get #size(): Fixed {
    const position = this.#ledger.positions[this.#input.symbol];
    return position === undefined ? 0n : absolute(fixed(position.quantity));
  }

  /** Is all that is held on its way out? */
  get #isLeaving(): boolean {
    return this.#exit !== null && this.#exit.left >= this.#size;
  }

  #outcome(): ExitOutcome | null {
    const exit = this.#exit;
    if (exit === null || (exit.trigger === null && this.#fills.length === 0)) return null;
    const filled = this.#fills.reduce((sum, { quantity }) => sum + fixed(quantity), 0n);
    return {
      cause: exit.cause,
      trigger: exit.trigger,
      long: this.#long,
      leverage: this.#held.leverage,
      fills: this.#fills,
      legs: this.#legs,
      asked: filled + exit.left,
      left: exit.left,
      shortfall: this.#shortfall,
      since: exit.since,
    };
  }

  #stopText(): string {
    return `stop loss at ${fixedString(this.#input.levels.stop ?? 0n)}`;
  }

  #targetText(): string {
    return `take profit at ${fixedString(this.#input.levels.target ?? 0n)}`;
  }
}

function rangeText({ low, high, close }: SeenBar): string {
  return `low ${fixedString(low)}, high ${fixedString(high)}, last ${fixedString(close)}`;
}
