// Trading connections: takes their calls, treats each as the test has told it to, and sends reports of
// whatever happens in the book.
import { setTimeout as sleep } from "node:timers/promises";
import type { WebSocket } from "ws";
import { Decimal, decimal, toDecimalString, ZERO } from "#domain/decimal.ts";
import type { OrderReport } from "#domain/order-report.ts";
import { Book, reportOf, type Told } from "./book.ts";
import type { BookFile } from "./book-file.ts";
import type { Behaviour, BookOrder, Delivery, FromExchange, TradeCall } from "./messages.ts";

/** One connection and whose it is. */
interface Client {
  socket: WebSocket;
  account: string;
}

/** How reports of an account travel, and those that wait. */
interface Post {
  as: Delivery;
  waiting: OrderReport[];
}

/** An order that `find` does not know yet. */
interface Hidden {
  finds: number;
  until: number;
}

type PlaceCall = Extract<TradeCall, { call: "place" }>;

export class TradeDesk {
  readonly book: Book;
  readonly calls: Record<string, number> = {};
  readonly #clients = new Set<Client>();
  readonly #told = new Map<string, Behaviour[]>();
  readonly #posts = new Map<string, Post>();
  readonly #hidden = new Map<string, Hidden>();
  readonly #die: () => void;

  constructor(file: BookFile, die: () => void) {
    this.#die = die;
    this.book = new Book(file, (order) => this.#report(order));
    for (const order of this.book.unfinished) this.#continue(order);
  }

  connect(socket: WebSocket, account: string): Client {
    const client = { socket, account };
    this.#clients.add(client);
    socket.on("close", () => this.#clients.delete(client));
    return client;
  }

  hangUp(): void {
    for (const { socket } of this.#clients) socket.terminate();
  }

  behave(account: string, call: TradeCall["call"], as: readonly Behaviour[]): void {
    const told = this.#told.get(`${account} ${call}`) ?? [];
    this.#told.set(`${account} ${call}`, [...told, ...as]);
  }

  behaveWell(): void {
    this.#told.clear();
  }

  /** What waits is sent now, in the new manner. */
  deliver(account: string, as: Delivery): void {
    const { waiting } = this.#postOf(account);
    this.#posts.set(account, { as, waiting: [] });
    const inOrder = as === "reversed" ? waiting.toReversed() : waiting;
    for (const report of inOrder) this.#post(account, report);
  }

  async answer(client: Client, id: number, call: TradeCall): Promise<void> {
    this.calls[call.call] = (this.calls[call.call] ?? 0) + 1;
    const told = this.#told.get(`${client.account} ${call.call}`)?.shift() ?? {};
    if (told.breaks?.when === "before") return this.#break(client, told.breaks.what);
    if (told.takenAfterMs === null) return;
    if (told.takenAfterMs !== undefined) await sleep(told.takenAfterMs);
    const result = this.#carryOut(client.account, call, told);
    if (told.breaks?.when === "after") return this.#break(client, told.breaks.what);
    if (told.answerAfterMs !== undefined) await sleep(told.answerAfterMs);
    const answer = answerOf(id, result, told);
    if (told.answer === "never") return;
    send(client, answer);
    if (told.answer === "twice") send(client, answer);
  }

  #break({ socket }: Client, what: "connection" | "process"): void {
    if (what === "process") this.#die();
    else socket.terminate();
  }

  #carryOut(account: string, call: TradeCall, told: Behaviour): unknown {
    switch (call.call) {
      case "place":
        return this.#place(account, call, told);
      case "find":
        return this.#find(account, call.order.clientOrderId);
      case "cancel": {
        const order = this.book.find(account, call.order.clientOrderId);
        if (order !== null) this.book.end(order, "cancelled", "cancelled as asked");
        return order === null ? null : reportOf(order);
      }
      case "openOrders":
        return this.book.open(account).map(reportOf);
      case "account":
        return this.book.account(account);
    }
  }

  #place(account: string, { order: request }: PlaceCall, told: Behaviour): OrderReport {
    if (told.refusal !== undefined) return this.book.refuse(account, request, told.refusal);
    if (told.hidden !== undefined) {
      const { finds, ms } = told.hidden;
      this.#hidden.set(request.clientOrderId, { finds, until: Date.now() + ms });
    }
    const report = this.book.place(account, request, stepsOf(request.quantity, told));
    if (report.status !== "open") return report;
    const order = this.book.byClientId(request.clientOrderId);
    this.#continue(order);
    return reportOf(order);
  }

  #find(account: string, clientOrderId: string): OrderReport | null {
    const hidden = this.#hidden.get(clientOrderId);
    if (hidden !== undefined && (hidden.finds > 0 || hidden.until > Date.now())) {
      hidden.finds -= 1;
      return null;
    }
    const order = this.book.find(account, clientOrderId);
    return order === null ? null : reportOf(order);
  }

  /** The fills it was told of that are due now; the others come by themselves. */
  #continue(order: BookOrder): void {
    const step = order.steps?.[0];
    if (order.status !== "open" || order.steps === null) return;
    if (step === undefined) {
      if (order.expires) this.book.end(order, "expired", "the rest expired");
    } else if (step.afterMs === 0) this.#step(order);
    else setTimeout(() => this.#step(order), step.afterMs);
  }

  #step(order: BookOrder): void {
    const step = order.steps?.[0];
    if (step === undefined) return;
    this.book.dropStep(order);
    this.book.trade(order, decimal(step.quantity));
    this.#continue(order);
  }

  #report(order: BookOrder): void {
    this.#post(order.account, reportOf(order));
  }

  #post(account: string, report: OrderReport): void {
    const post = this.#postOf(account);
    if (post.as === "lost") return;
    if (post.as === "held") {
      post.waiting.push(report);
      return;
    }
    const times = post.as === "twice" ? 2 : 1;
    for (const client of this.#clients) {
      if (client.account !== account) continue;
      for (let time = 0; time < times; time += 1) send(client, { report });
    }
  }

  #postOf(account: string): Post {
    const post = this.#posts.get(account) ?? { as: "normal", waiting: [] };
    this.#posts.set(account, post);
    return post;
  }
}

/** Lots that fills come in. */
const LOT_PLACES = 5;

/**
 * Shares of the quantity as quantities, on the lot but for an order that is not; null when the market
 * is to fill it.
 */
function stepsOf(quantity: string, { expires = false, fills }: Behaviour): Told | null {
  if (fills === undefined) return null;
  let [share, before] = [ZERO, ZERO];
  const steps = fills.map((fill) => {
    share = share.plus(fill.share);
    const upTo = decimal(quantity).times(share);
    const filled = share.eq(1) ? upTo : upTo.toDecimalPlaces(LOT_PLACES, Decimal.ROUND_DOWN);
    const step = { quantity: toDecimalString(filled.minus(before)), afterMs: fill.afterMs };
    before = filled;
    return step;
  });
  return { steps, expires };
}

function answerOf(id: number, result: unknown, { answer }: Behaviour): FromExchange {
  if (answer === "error") return { id, error: "unknown: try later" };
  return { id, result: answer === "nothing" ? null : result };
}

function send({ socket }: Client, message: FromExchange): void {
  socket.send(JSON.stringify(message));
}
