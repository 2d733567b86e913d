// The commands that change a strategy.
import type { Command } from "commander";
import { z } from "zod";
import { DomainError } from "#domain/errors.ts";
import { openClient, strategyIdOf, type Client } from "./client.ts";
import { describe, perform, type JsonOption } from "./command.ts";

interface CreateOptions extends JsonOption {
  id?: string;
  name?: string;
  description?: string;
  balance: string;
  param?: string[];
  params?: string;
  tag?: string[];
}

interface StopOptions extends JsonOption {
  keepPositions?: boolean;
  reason: string;
}

export function createCommand(): Command {
  return describe("create", "a new strategy, which takes part from the next tick on", [
    "strategies create multi_agent_btc_daily",
    "strategies create multi_agent_btc_daily --name Patient --balance 5000 --param buy_threshold=60",
    `strategies create momentum_regime_btc_daily --params '{"base_risk_pct": 1}' --json`,
  ])
    .argument("<definition>", "name or id of the template (see: definitions list)")
    .option("--id <uuid>", "random, yours: asked again with the same id, it is made only once")
    .option("--name <name>", "left out: <template> - <user> - #<n>")
    .option("--description <text>")
    .option("--balance <amount>", "initial balance in quote currency", "10000")
    .option("--param <key=value...>", "a param that differs from the template's")
    .option("--params <json>", "the same as one JSON object")
    .option("--tag <tag...>")
    .action((definition: string, options: CreateOptions) =>
      perform(options, async (output) => {
        const { balance, description, id, name, tag } = options;
        const created = await openClient().strategies.create.mutate({
          definition,
          initialBalance: balance,
          params: paramsOf(options),
          ...(id === undefined ? {} : { strategyId: id }),
          ...(name === undefined ? {} : { name }),
          ...(description === undefined ? {} : { description }),
          ...(tag === undefined ? {} : { tags: tag }),
        });
        output.result(created, () =>
          [
            `created ${created.name}`,
            created.strategyId,
            ...(created.warnings ?? []).map((warning) => `warning: ${warning}`),
          ].join("\n"),
        );
      }),
    );
}

export function stopCommand(): Command {
  return ofStrategy("stop", "sell what it holds and stop; stored before this answers", [
    "strategies stop 3f2a91c0",
    'strategies stop 3f2a91c0 --keep-positions --reason "holiday"',
  ])
    .option("--keep-positions", "leave its positions as they are")
    .option("--reason <text>", "kept with the strategy", "asked for on the command line")
    .action((given: string, options: StopOptions) =>
      perform(options, async (output) => {
        const client = openClient();
        const { keepPositions = false, reason } = options;
        const result = await client.strategies.stop.mutate({
          strategyId: await strategyIdOf(client, given),
          closePositions: !keepPositions,
          reason,
        });
        output.result(result, () => commandText("stop", result));
      }),
    );
}

export function resumeCommand(): Command {
  return ofStrategy("resume", "let a stopped strategy run again", [
    "strategies resume 3f2a91c0",
  ]).action((given: string, options: JsonOption) =>
    perform(options, async (output) => {
      const client = openClient();
      const strategyId = await strategyIdOf(client, given);
      const result = await client.strategies.resume.mutate({ strategyId });
      output.result(result, () => commandText("resume", result));
    }),
  );
}

/** A command about one strategy. */
export function ofStrategy(
  name: string,
  description: string,
  examples: readonly string[],
): Command {
  return describe(name, description, examples).argument(
    "<id>",
    "the strategy's id, or its beginning as shown by: strategies list",
  );
}

type CommandResult = Awaited<ReturnType<Client["strategies"]["stop"]["mutate"]>>;

function commandText(verb: string, { commandId, outcome, pending, state }: CommandResult): string {
  if (outcome === "unchanged" && !pending) return `nothing to do: it is ${state}`;
  const standing = pending ? `it is still ${state}, the engine carries it out` : `it is ${state}`;
  return `${verb} is stored (command ${commandId}); ${standing}`;
}

const paramsSchema = z.record(z.string(), z.json());

function paramsOf({ param = [], params = "{}" }: CreateOptions) {
  const given = paramsSchema.safeParse(jsonOr(params, null));
  if (!given.success) {
    throw new DomainError("INVALID_INPUT", `--params: expected a JSON object, was ${params}`);
  }
  const single = param.map((pair): [string, z.infer<ReturnType<typeof z.json>>] => {
    const split = pair.indexOf("=");
    if (split > 0)
      return [pair.slice(0, split), jsonOr(pair.slice(split + 1), pair.slice(split + 1))];
    throw new DomainError("INVALID_INPUT", `--param: expected key=value, was ${pair}`);
  });
  return { ...given.data, ...Object.fromEntries(single) };
}

/** Numbers, booleans, lists and objects as they are; what is no JSON is the text itself. */
function jsonOr<Otherwise extends string | null>(text: string, otherwise: Otherwise) {
  try {
    return z.json().parse(JSON.parse(text));
  } catch {
    return otherwise;
  }
}
