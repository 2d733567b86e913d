// The commands that change a strategy.
import type { Command } from "commander";
import { decimal } from "#domain/decimal.ts";
import { DomainError } from "#domain/errors.ts";
import { openClient, strategyIdOf, type Client } from "./client.ts";
import { describe, perform, type JsonOption } from "./command.ts";
import { printable } from "./printable.ts";
import { paramsHelpText, paramsOf, type ParamsOptions } from "./params-option.ts";

interface CreateOptions extends JsonOption, ParamsOptions {
  id?: string;
  name?: string;
  description?: string;
  balance: string;
  tag?: string[];
}

interface EditOptions extends JsonOption, ParamsOptions {
  name?: string;
  description?: string;
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
    .addHelpText("after", paramsHelpText)
    .action((definition: string, options: CreateOptions) =>
      perform(options, async (output) => {
        const { balance, description, id, name, tag } = options;
        const created = await openClient().strategies.create.mutate({
          definition,
          initialBalance: balance,
          params: paramsOf(options) ?? {},
          ...(id === undefined ? {} : { strategyId: id }),
          ...(name === undefined ? {} : { name }),
          ...(description === undefined ? {} : { description }),
          ...(tag === undefined ? {} : { tags: tag }),
        });
        output.result(created, () => createdText(created, balance));
      }),
    );
}

type Created = Awaited<ReturnType<Client["strategies"]["create"]["mutate"]>>;

function createdText(created: Created, asked: string): string {
  const { initialBalance, name, notices, strategyId, warnings = [] } = created;
  const isRounded = !decimal(asked).equals(initialBalance);
  return [
    `created ${printable(name)}`,
    strategyId,
    ...(isRounded ? [`initial balance rounded to ${initialBalance}`] : []),
    ...warnings.map((warning) => `warning: ${warning}`),
    ...notices,
  ].join("\n");
}

export function editCommand(): Command {
  return ofStrategy(
    "edit",
    "change its name, description or params; params count from the next tick",
    [
      "strategies edit 3f2a91c0 --name Patient --param buy_threshold=60",
      `strategies edit 3f2a91c0 --params '{"agent_weights": {"ta": 0.3, "macro": 0.3}}'`,
    ],
  )
    .option("--name <name>")
    .option("--description <text>")
    .option("--param <key=value...>", "a param to change; the others stay as they are")
    .option("--params <json>", "the same as one JSON object")
    .addHelpText("after", paramsHelpText)
    .action((given: string, options: EditOptions) =>
      perform(options, async (output) => {
        const { description, name } = options;
        const params = paramsOf(options);
        if (name === undefined && description === undefined && params === null) {
          const message =
            "expected something to change: --name, --description, --param or --params";
          throw new DomainError("INVALID_INPUT", message);
        }
        const client = openClient();
        const edited = await client.strategies.update.mutate({
          strategyId: await strategyIdOf(client, given),
          ...(name === undefined ? {} : { name }),
          ...(description === undefined ? {} : { description }),
          ...(params === null ? {} : { params }),
        });
        output.result(
          edited,
          () => `${printable(edited.name)} is stored, params version ${edited.paramsVersion}`,
        );
      }),
    );
}

export function archiveCommand(): Command {
  return ofStrategy("archive", "take a stopped strategy out of every list; its history stays", [
    "strategies archive 3f2a91c0",
  ]).action((given: string, options: JsonOption) =>
    perform(options, async (output) => {
      const client = openClient();
      const strategyId = await strategyIdOf(client, given);
      const archived = await client.strategies.archive.mutate({ strategyId });
      output.result(archived, () => `archived ${printable(archived.name)} (${archived.id})`);
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
