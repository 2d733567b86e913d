import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import {
  type AccountOptions,
  bookOrder,
  type BookOrder,
  wholeBook,
  type WholeBook,
} from "./messages.ts";

interface Market {
  at: number;
  prices: Readonly<Record<string, string>>;
}

/** One change; of an order or an account, the newest line counts. */
export type Line =
  | { account: AccountOptions }
  | { order: BookOrder }
  | { refusal: WholeBook["refusals"][number] }
  | { market: Market };

const line = z.union([
  z.object({ account: wholeBook.shape.accounts.element.omit({ flows: true }) }),
  z.object({ order: bookOrder }),
  z.object({ refusal: wholeBook.shape.refusals.element }),
  z.object({ market: z.object({ at: z.number(), prices: z.record(z.string(), z.string()) }) }),
]);

export interface StoredBook {
  accounts: AccountOptions[];
  orders: BookOrder[];
  refusals: WholeBook["refusals"];
  markets: Market[];
}

/** A book on disk, a line per change: what was appended is there after the process is killed. */
export class BookFile {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  append(change: Line): void {
    appendFileSync(this.#path, `${JSON.stringify(change)}\n`);
  }

  read(): StoredBook {
    const orders = new Map<string, BookOrder>();
    const accounts = new Map<string, AccountOptions>();
    const book = { refusals: [] as WholeBook["refusals"], markets: [] as Market[] };
    for (const one of this.#lines()) {
      if ("account" in one) accounts.set(one.account.name, one.account);
      else if ("order" in one) orders.set(one.order.exchangeOrderId, one.order);
      else if ("refusal" in one) book.refusals.push(one.refusal);
      else book.markets.push(one.market);
    }
    return { ...book, accounts: [...accounts.values()], orders: [...orders.values()] };
  }

  #lines(): Line[] {
    if (!existsSync(this.#path)) return [];
    // A line without its end was cut short by the death of the process that wrote it.
    const whole = readFileSync(this.#path, "utf8").split("\n").slice(0, -1);
    return whole.map((text) => line.parse(JSON.parse(text)));
  }
}
