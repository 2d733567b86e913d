import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vi } from "vitest";
import { type RunningProgram, startProgram } from "#support/processes.ts";
import { Calls } from "./calls.ts";
import { ExchangeChannel, type ExchangeChannelOptions } from "./exchange-channel.ts";
import {
  type AccountOptions,
  type Behaviour,
  type ControlCall,
  type TradeCall,
  type WholeBook,
  wholeBook,
} from "./messages.ts";

const PROGRAM = "tests/support/exchange/exchange-program.ts";
const FEE_RATE = "0.001";

/** An exchange in a process of its own, and what a test can tell it. */
export class TestExchange implements AsyncDisposable {
  readonly url: string;
  readonly #folder: string;
  readonly #calls: Calls;
  #program: RunningProgram;

  constructor(parts: { program: RunningProgram; url: string; folder: string }) {
    this.#program = parts.program;
    this.url = parts.url;
    this.#folder = parts.folder;
    this.#calls = new Calls({ url: `${parts.url}/control`, timeoutMs: 10_000 });
  }

  /** Opens an account and a channel to it, which the caller disposes of. */
  async openChannel(
    account: Pick<AccountOptions, "name" | "marketType"> & Partial<AccountOptions>,
    options: Partial<ExchangeChannelOptions> = {},
  ): Promise<ExchangeChannel> {
    await this.openAccount(account);
    return this.channel(account, options);
  }

  openAccount(
    account: Pick<AccountOptions, "name" | "marketType"> & Partial<AccountOptions>,
  ): Promise<void> {
    const usual = { deposit: "1000000", feeRate: FEE_RATE, feeIn: "quote", idsTaken: "for ever" };
    return this.tell({ call: "openAccount", account: { ...usual, ...account } as AccountOptions });
  }

  channel(
    { marketType, name }: Pick<AccountOptions, "name" | "marketType">,
    options: Partial<ExchangeChannelOptions> = {},
  ): ExchangeChannel {
    const { url } = this;
    return new ExchangeChannel({ url, name, marketType, feeRate: Number(FEE_RATE), ...options });
  }

  async tell(call: ControlCall): Promise<void> {
    await this.#calls.call(call);
  }

  moveMarket(at: number, prices: Record<string, string>): Promise<void> {
    return this.tell({ call: "moveMarket", at, prices });
  }

  /** Treats the next calls so, one each. */
  behave(account: string, to: TradeCall["call"], ...as: readonly Behaviour[]): Promise<void> {
    return this.tell({ call: "behave", account, to, as: [...as] });
  }

  async book(): Promise<WholeBook> {
    return wholeBook.parse(await this.#calls.call({ call: "book" }));
  }

  /** Resolves when its process is gone, whoever killed it. */
  async died(): Promise<void> {
    await this.#program.ended;
  }

  async die(): Promise<void> {
    this.#program.kill("SIGKILL");
    await this.died();
  }

  /** The same book on the same port, in a new process. */
  async comeBack(): Promise<void> {
    await this.died();
    this.#program = (await launch(this.#folder, new URL(this.url).port)).program;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#calls[Symbol.asyncDispose]();
    await this.#program[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

export async function startExchange(): Promise<TestExchange> {
  const folder = await mkdtemp(join(tmpdir(), "troupe-exchange-"));
  return new TestExchange({ folder, ...(await launch(folder, "0")) });
}

async function launch(
  folder: string,
  port: string,
): Promise<{ program: RunningProgram; url: string }> {
  const program = startProgram(PROGRAM, [join(folder, "book.jsonl"), port]);
  const found = await vi.waitFor(
    () => {
      const [, listening] = /listening on (\d+)/.exec(program.stdout) ?? [];
      if (listening === undefined) throw new Error("the exchange is not up yet");
      return listening;
    },
    { timeout: 20_000, interval: 10 },
  );
  return { program, url: `ws://127.0.0.1:${found}` };
}
