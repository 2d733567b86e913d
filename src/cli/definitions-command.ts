import { Command } from "commander";
import { durationText } from "#domain/duration-text.ts";
import { openClient, type Client } from "./client.ts";
import { describe, perform, type JsonOption } from "./command.ts";
import { instant } from "./format.ts";
import type { Cell, Column } from "./grid.ts";

type Definition = Awaited<ReturnType<Client["definitions"]["list"]["query"]>>[number];

const columns: readonly Column<Definition>[] = [
  { head: "NAME", cell: ({ name }) => name },
  { head: "TITLE", cell: ({ displayName }) => displayName, dispensable: 2, elastic: true },
  { head: "DECISION AGENT", cell: ({ decisionAgent }) => decisionAgent, dispensable: 3 },
  { head: "CHANNEL", cell: ({ tradeChannel }) => tradeChannel, dispensable: 4 },
  { head: "SYMBOLS", cell: ({ symbols }) => symbols.join(", "), dispensable: 1 },
  { head: "PERIOD", cell: periodOf, align: "right" },
  { head: "STATE", cell: stateOf },
  { head: "LAST TICK", cell: ({ lastTickFor }) => instant(lastTickFor) },
  {
    head: "SKIPPED",
    cell: ({ skippedTicks }) => String(skippedTicks),
    align: "right",
  },
  { head: "RUNNING", cell: (one) => `${one.running} of ${one.strategies}`, align: "right" },
];

function periodOf({ barMinutes, periodMinutes, waitsForBars }: Definition): Cell | string {
  const period = `${periodMinutes} min`;
  if (!waitsForBars || barMinutes === null) return period;
  return {
    text: `${period}, waits for bars of ${durationText(barMinutes * 60_000)}`,
    style: "yellow",
  };
}

export function definitionsCommand(): Command {
  return new Command("definitions")
    .description("strategy templates")
    .addCommand(listCommand())
    .addCommand(pauseCommand("pause", "propose no more ticks; one under way ends, positions stay"))
    .addCommand(pauseCommand("resume", "let a paused template tick again"));
}

function listCommand(): Command {
  return describe("list", "the templates strategies are made from", [
    "definitions list",
    "definitions list --json",
  ]).action((options: JsonOption) =>
    perform(options, async (output) => {
      const definitions = await openClient().definitions.list.query();
      output.result(definitions, () => output.table(definitions, columns));
    }),
  );
}

function pauseCommand(verb: "pause" | "resume", description: string): Command {
  return describe(verb, description, [`definitions ${verb} multi_agent_btc_daily`])
    .argument("<name>", "the template, by name or id")
    .action((given: string, options: JsonOption) =>
      perform(options, async (output) => {
        const { definitions } = openClient();
        const result = await definitions[verb].mutate({ definition: given });
        output.result(result, () => pauseText(verb, result));
      }),
    );
}

type PauseResult = Awaited<ReturnType<Client["definitions"]["pause"]["mutate"]>>;

function pauseText(verb: string, { outcome, definition }: PauseResult): string {
  const standing = `${definition.name} is ${stateText(definition)}`;
  return outcome === "unchanged" ? `nothing to do: ${standing}` : `${verb} is stored; ${standing}`;
}

/** With what it comes to where a tick under way has to end first. */
function stateText({ pausedAt, state }: Definition): string {
  return pausedAt !== null && state !== "paused" ? `${state} → paused` : state;
}

function stateOf(definition: Definition): Cell | string {
  const text = stateText(definition);
  return definition.pausedAt === null ? text : { text, style: "yellow" };
}
