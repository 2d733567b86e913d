import { Command } from "commander";
import { durationText } from "#domain/duration-text.ts";
import { openClient, type Client } from "./client.ts";
import { describe, perform, type JsonOption, type Output } from "./command.ts";
import { instant } from "./format.ts";
import type { Cell, Column } from "./grid.ts";
import { paramColumns } from "./params-option.ts";
import { printable } from "./printable.ts";

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

function periodOf(definition: Definition): Cell | string {
  const text = periodText(definition);
  return definition.waitsForBars ? { text, style: "yellow" } : text;
}

function periodText({ barMinutes, periodMinutes, waitsForBars }: Definition): string {
  const period = `${periodMinutes} min`;
  if (!waitsForBars || barMinutes === null) return period;
  return `${period}, waits for bars of ${durationText(barMinutes * 60_000)}`;
}

export function definitionsCommand(): Command {
  return new Command("definitions")
    .description("strategy templates")
    .addCommand(listCommand())
    .addCommand(showCommand())
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

function showCommand(): Command {
  return describe("show", "one template with the params of its strategies", [
    "definitions show multi_agent_btc_daily",
    "definitions show multi_agent_btc_daily --json",
  ])
    .argument("<definition>", "its name or id")
    .action((definition: string, options: JsonOption) =>
      perform(options, async (output) => {
        const found = await openClient().definitions.get.query({ definition });
        output.result(found, () => cardOf(found, output));
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

type Detail = Awaited<ReturnType<Client["definitions"]["get"]["query"]>>;

function cardOf(definition: Detail, output: Output): string {
  const agents = definition.agents.map(({ name, required }) => name + (required ? "" : "?"));
  const facts: [string, string][] = [
    ["title", definition.displayName],
    ["", definition.description],
    ["decision agent", definition.decisionAgent],
    ["agents", `${agents.join(", ")} (? may be missing)`],
    ["channel", definition.tradeChannel],
    ["symbols", definition.symbols.join(", ")],
    ["period", `every ${periodText(definition)}`],
    ["strategies", `${definition.running} of ${definition.strategies} running`],
    ["state", stateText(definition)],
    ["open", definition.isActive ? "yes" : "no: takes no new strategies"],
  ];
  const lines = facts.map(([name, value]) => `  ${name.padEnd(14)}  ${printable(value)}`);
  return [
    printable(definition.name),
    ...lines,
    "",
    output.table(definition.params, paramColumns),
  ].join("\n");
}

type PauseResult = Awaited<ReturnType<Client["definitions"]["pause"]["mutate"]>>;

function pauseText(verb: string, { outcome, definition }: PauseResult): string {
  const standing = `${printable(definition.name)} is ${stateText(definition)}`;
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
