import { Command, Option } from "commander";
import { DomainError } from "#domain/errors.ts";
import { quoted } from "#domain/quote.ts";
import { openClient, strategyIdOf, type Client } from "./client.ts";
import { cycleColumns, strategyColumns, tradeColumns } from "./columns.ts";
import { describe, perform, type JsonOption, type Output } from "./command.ts";
import { FINISHED } from "./table-view.ts";
import { strategyCard } from "./strategy-card.ts";
import {
  archiveCommand,
  createCommand,
  editCommand,
  ofStrategy,
  resumeCommand,
  stopCommand,
} from "./strategy-commands.ts";

interface PageOptions extends JsonOption {
  limit: string;
  cursor?: string;
}

interface ListOptions extends PageOptions {
  status?: "running" | "stopped" | "cancelled";
  sort: "created" | "return" | "name";
  search?: string;
  definition?: string;
}

export function strategiesCommand(): Command {
  return new Command("strategies")
    .description("strategies of the running engine")
    .addCommand(listCommand())
    .addCommand(createCommand())
    .addCommand(showCommand())
    .addCommand(editCommand())
    .addCommand(stopCommand())
    .addCommand(resumeCommand())
    .addCommand(archiveCommand())
    .addCommand(cyclesCommand())
    .addCommand(tradesCommand());
}

function listCommand(): Command {
  const command = describe("list", "strategies, newest first", [
    "strategies list",
    "strategies list --status running --sort return",
    "strategies list --search patient --json",
  ])
    .addOption(new Option("--status <status>").choices(["running", "stopped", "cancelled"]))
    .addOption(
      new Option("--sort <order>").choices(["created", "return", "name"]).default("created"),
    )
    .option("--search <text>", "part of the name")
    .option("--definition <name>", "of one template, by name or id");
  return paged(command).action((options: ListOptions) =>
    perform(options, async (output) => {
      const client = openClient();
      const { definition, status, sort, search } = options;
      const page = await client.strategies.list.query({
        ...pageOf(options),
        sort,
        ...(status === undefined ? {} : { status }),
        ...(search === undefined ? {} : { search }),
        ...(definition === undefined
          ? {}
          : { definitionId: (await client.definitions.get.query({ definition })).id }),
      });
      const ending = output.json ? "" : await replayEnding(client);
      print(output, page, () => `${output.table(page.items, strategyColumns)}${ending}`);
    }),
  );
}

/** A list of running strategies looks alive; at the end of a replay it is not. */
async function replayEnding(client: Client): Promise<string> {
  const { market } = await client.engine.status.query();
  return market.finished ? `\n${FINISHED}` : "";
}

function showCommand(): Command {
  return ofStrategy("show", "one strategy with its money, positions and performance", [
    "strategies show 3f2a91c0",
  ]).action((given: string, options: JsonOption) =>
    perform(options, async (output) => {
      const client = openClient();
      const strategyId = await strategyIdOf(client, given);
      const [strategy, holding, performance] = await Promise.all([
        client.strategies.get.query({ strategyId }),
        client.strategies.holding.query({ strategyId }),
        client.strategies.performance.query({ strategyId }),
      ]);
      output.result({ strategy, holding, performance }, () =>
        strategyCard({ strategy, holding, performance }, output),
      );
    }),
  );
}

function cyclesCommand(): Command {
  const command = ofStrategy("cycles", "what it decided and did, newest first", [
    "strategies cycles 3f2a91c0 --limit 5",
  ]);
  return paged(command).action((given: string, options: PageOptions) =>
    perform(options, async (output) => {
      const client = openClient();
      const strategyId = await strategyIdOf(client, given);
      const page = await client.strategies.cycles.query({ strategyId, ...pageOf(options) });
      print(output, page, () => output.table(page.items, cycleColumns));
    }),
  );
}

function tradesCommand(): Command {
  const command = ofStrategy("trades", "what it bought and sold, newest first", [
    "strategies trades 3f2a91c0",
  ]);
  return paged(command).action((given: string, options: PageOptions) =>
    perform(options, async (output) => {
      const client = openClient();
      const strategyId = await strategyIdOf(client, given);
      const page = await client.strategies.trades.query({ strategyId, ...pageOf(options) });
      print(output, page, () => output.table(page.items, tradeColumns));
    }),
  );
}

function paged(command: Command): Command {
  return command
    .option("--limit <n>", "at most so many, up to 200", "20")
    .option("--cursor <cursor>", "where the last page ended");
}

function pageOf({ limit, cursor }: PageOptions): { limit: number; cursor?: string } {
  const count = /^\d{1,9}$/.test(limit) ? Number(limit) : Number.NaN;
  if (!(count >= 1 && count <= 200)) {
    const message = `--limit: expected a whole number from 1 to 200, was ${quoted(limit)}`;
    throw new DomainError("INVALID_INPUT", message);
  }
  return { limit: count, ...(cursor === undefined ? {} : { cursor }) };
}

function print(
  output: Output,
  page: { items: readonly unknown[]; nextCursor: string | null },
  table: () => string,
): void {
  output.result(page, () => {
    if (page.items.length === 0) return "none";
    const more = page.nextCursor === null ? "" : `\nmore: --cursor ${page.nextCursor}`;
    return `${table()}${more}`;
  });
}
