// Sees one order through: sends it, or asks for it first, until the venue says that it is over.
import type { PendingOrder } from "#domain/cycle.ts";
import { errorMessage } from "#domain/errors.ts";
import { fixed } from "#domain/fixed.ts";
import { readReports, type OrderReport } from "#domain/order-report.ts";
import type { OrderSettings } from "#engine/dependencies.ts";
import { withinTime } from "#engine/time-limit.ts";
import type { Timer } from "#ports/clock.ts";
import type { OnFailpoint } from "#ports/failpoints.ts";
import type { LiveChannel } from "#ports/trade-channel.ts";

/** How a watch begins: the order's intent has just been committed, or an earlier process may have sent it. */
export type Beginning = "place" | "find";

export interface WatchDependencies {
  channel: LiveChannel;
  timer: Timer;
  failpoint: OnFailpoint;
  settings: OrderSettings;
  /** Stores what the venue told as a message of the order's shard. */
  store: (report: OrderReport) => Promise<void>;
  /** Is the shard still this node's? Only its holder may send anything late. */
  isOurs: () => Promise<boolean>;
  /** Told once, when for long nobody could say what became of the order. */
  onUnknown: (reason: string) => void;
  /** Told of what went wrong on the way and is tried again. */
  onFailure: (error: unknown, what: string) => void;
}

type Answer =
  | { kind: "report"; report: OrderReport }
  | { kind: "missing" }
  | { kind: "unknown"; reason: string };

export class OrderWatch {
  readonly order: PendingOrder;
  readonly #dependencies: WatchDependencies;
  readonly #stopping = new AbortController();
  readonly #begunAt: number;
  /** How much of the order is stored already; a report that says no more is dropped. */
  #stored: string;
  readonly #pushed: OrderReport[] = [];
  #wake: () => void = () => undefined;
  #wantsCancel = false;
  #pauseMs: number;
  /** Timer readings, ms. */
  #missingSince: number | null = null;
  #unknownSince: number | null = null;
  #hasComplained = false;
  /** Has the venue ever told of it? Then it is never sent again, whatever is found of it later. */
  #isKnown: boolean;
  /** What the venue said when the order was sent again, as long as it cannot be found. */
  #refusal: OrderReport | null = null;

  constructor(order: PendingOrder, dependencies: WatchDependencies) {
    this.order = order;
    this.#dependencies = dependencies;
    this.#begunAt = dependencies.timer.elapsed();
    this.#pauseMs = dependencies.settings.askEveryMs;
    this.#isKnown = order.exchangeOrderId !== null || order.fills.length > 0;
    this.#stored = `open/${order.fills.length}/${order.exchangeOrderId}`;
  }

  /** Resolves when the order is over or the watch was stopped. */
  async run(beginning: Beginning): Promise<void> {
    if (beginning === "place" && (await this.#place("first"))) return;
    while (!this.#isStopped) {
      if (await this.#look()) return;
      await this.#pause();
    }
  }

  /** The venue said something by itself. */
  push(report: OrderReport): void {
    try {
      this.#pushed.push(...readReports([report]));
      this.#isKnown ||= report.status !== "rejected";
      this.#wake();
    } catch (error) {
      this.#dependencies.onFailure(error, "the venue said what cannot be read");
    }
  }

  /** What is left of it is not wanted any more. */
  cancel(): void {
    this.#wantsCancel = true;
    this.#wake();
  }

  /** Somebody else looks after the order from now on. */
  stop(): void {
    this.#stopping.abort();
    this.#wake();
  }

  get #isStopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  /** One round of asking; true when the order is over. */
  async #look(): Promise<boolean> {
    const pushed = this.#pushed.splice(0);
    for (const report of pushed) if (await this.#take(report)) return true;
    const answer = await this.#ask();
    if (this.#isStopped) return true;
    if (answer.kind === "report") {
      this.#missingSince = null;
      this.#unknownSince = null;
      return this.#take(answer.report);
    }
    if (answer.kind === "unknown") {
      this.#complain(answer.reason);
      return false;
    }
    return this.#onMissing();
  }

  /**
   * Cancels where that is wanted, which answers like a question; but a venue may know open orders only
   * when it cancels, so what it does not know then is asked for as well.
   */
  async #ask(): Promise<Answer> {
    const { channel, failpoint } = this.#dependencies;
    const { signal } = this.#stopping;
    failpoint("orders.before-find");
    let answer: Answer = { kind: "missing" };
    if (this.#wantsCancel) answer = await this.#answered(channel.cancel(this.order, signal));
    if (answer.kind === "missing" && !this.#isStopped) {
      answer = await this.#answered(channel.find(this.order, signal));
    }
    failpoint("orders.after-find");
    return answer;
  }

  /**
   * Not known to the venue: it may not have looked everywhere yet. Believed after a while, and then the
   * order is sent once more, under the same client order id; one that was refused when it was sent again,
   * or that nobody wants any more, is not, and never one that the venue has told of: its id may be free
   * again, because it is over. How long nobody could say anything is counted on: an order
   * that is now not found and now not to be asked for is as unknown as one that is never answered.
   */
  async #onMissing(): Promise<boolean> {
    const { settings, timer } = this.#dependencies;
    if (this.#isKnown) {
      this.#complain("the venue does not find an order that it has told of");
      return false;
    }
    this.#missingSince ??= timer.elapsed();
    if (timer.elapsed() - this.#missingSince < settings.notFoundMs) return false;
    this.#missingSince = null;
    if (this.#refusal !== null) return this.#take(this.#refusal);
    if (this.#wantsCancel) return this.#take(this.#neverSent());
    return this.#place("again");
  }

  /** True when the order is over with it. */
  async #place(which: "first" | "again"): Promise<boolean> {
    const { channel, failpoint, settings, timer } = this.#dependencies;
    // Frozen since its commit, this node may have been taken for dead and the order sent by another.
    const isLate = timer.elapsed() - this.#begunAt > settings.sendWithinMs;
    if ((which === "again" || isLate) && !(await this.#mayStillSend())) return false;
    if (this.#isStopped) return true;
    failpoint("orders.before-send");
    const answer = await this.#answered(channel.place(this.order, this.#stopping.signal));
    failpoint("orders.after-send");
    if (this.#isStopped) return true;
    if (answer.kind !== "report") {
      if (answer.kind === "unknown") this.#complain(answer.reason);
      return false;
    }
    const { report } = answer;
    if (which === "first" || report.status !== "rejected") return this.#take(report);
    // It may only mean that the venue has the order already and does not show it yet: asked for once more.
    this.#refusal = report;
    return false;
  }

  /** A late send is only its shard's holder's; who is not, or cannot find out, asks on. */
  async #mayStillSend(): Promise<boolean> {
    try {
      return await this.#dependencies.isOurs();
    } catch (error) {
      this.#dependencies.onFailure(error, "could not see whose order it is");
      return false;
    }
  }

  /** Stores what is news in a report; true when the order is over. */
  async #take(report: OrderReport): Promise<boolean> {
    const { failpoint, onFailure, settings, store, timer } = this.#dependencies;
    const isOver = report.status !== "open" && isWhole(report, this.order);
    const says = `${isOver ? report.status : "open"}/${report.fills.length}/${report.exchangeOrderId}`;
    this.#isKnown ||= report.status !== "rejected";
    if (says === this.#stored) return isOver;
    failpoint("orders.answered");
    while (!this.#isStopped) {
      try {
        await store(report);
        this.#stored = says;
        this.#pauseMs = settings.askEveryMs;
        failpoint("orders.report-stored");
        return isOver;
      } catch (error) {
        // The database is away: what the venue said is kept until it is back.
        onFailure(error, "could not store what the venue said");
        await timer.after(settings.askEveryMs, this.#stopping.signal);
      }
    }
    return true;
  }

  #neverSent(): OrderReport {
    const { clientOrderId, symbol } = this.order;
    const reason = "cancelled before the venue had it";
    return { clientOrderId, symbol, exchangeOrderId: null, status: "cancelled", fills: [], reason };
  }

  async #answered(call: Promise<OrderReport | null>): Promise<Answer> {
    const { settings, timer } = this.#dependencies;
    const ms = settings.answerMs;
    const { signal } = this.#stopping;
    const expired = (): never => {
      throw new Error(`no answer within ${ms} ms`);
    };
    try {
      const report = await withinTime(call, { ms, timer, expired, signal });
      if (report === null) return { kind: "missing" };
      const [read = report] = readReports([report]);
      return { kind: "report", report: read };
    } catch (error) {
      return { kind: "unknown", reason: errorMessage(error) };
    }
  }

  #complain(reason: string): void {
    const { onUnknown, settings, timer } = this.#dependencies;
    this.#missingSince = null;
    this.#unknownSince ??= timer.elapsed();
    if (this.#hasComplained || timer.elapsed() - this.#unknownSince < settings.unknownMs) return;
    this.#hasComplained = true;
    onUnknown(reason);
  }

  async #pause(): Promise<void> {
    if (this.#isStopped || this.#pushed.length > 0) return;
    const { settings, timer } = this.#dependencies;
    const woken = new AbortController();
    this.#wake = () => woken.abort();
    await timer.after(this.#pauseMs, woken.signal);
    this.#wake = () => undefined;
    // An order may rest for days: what nothing happens to is asked for less and less often.
    this.#pauseMs = Math.min(this.#pauseMs * 2, settings.askAtLeastEveryMs);
  }
}

/** A venue may say that an order is filled before it tells of all the fills. */
function isWhole({ fills, status }: OrderReport, { quantity }: PendingOrder): boolean {
  if (status !== "filled") return true;
  const filled = fills.reduce((sum, fill) => sum + fixed(fill.quantity), 0n);
  return filled >= fixed(quantity);
}
