import { Command } from "commander";
import { openClient, type Client } from "./client.ts";
import { describe, perform, type JsonOption, type Output } from "./command.ts";
import type { Column } from "./grid.ts";
import { paramColumns } from "./params-option.ts";
import { printable } from "./printable.ts";

type Definition = Awaited<ReturnType<Client["definitions"]["list"]["query"]>>[number];

const columns: readonly Column<Definition>[] = [
  { head: "NAME", cell: ({ name }) => name },
  { head: "TITLE", cell: ({ displayName }) => displayName, dispensable: 2, elastic: true },
  { head: "DECISION AGENT", cell: ({ decisionAgent }) => decisionAgent, dispensable: 3 },
  { head: "CHANNEL", cell: ({ tradeChannel }) => tradeChannel, dispensable: 4 },
  { head: "SYMBOLS", cell: ({ symbols }) => symbols.join(", "), dispensable: 1 },
  { head: "PERIOD", cell: ({ periodMinutes }) => `${periodMinutes} min`, align: "right" },
  { head: "RUNNING", cell: (one) => `${one.running} of ${one.strategies}`, align: "right" },
];

export function definitionsCommand(): Command {
  const list = describe("list", "the templates strategies are made from", [
    "definitions list",
    "definitions list --json",
  ]).action((options: JsonOption) =>
    perform(options, async (output) => {
      const definitions = await openClient().definitions.list.query();
      output.result(definitions, () => output.table(definitions, columns));
    }),
  );
  return new Command("definitions")
    .description("strategy templates")
    .addCommand(list)
    .addCommand(showCommand());
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
    ["period", `every ${definition.periodMinutes} min`],
    ["strategies", `${definition.running} of ${definition.strategies} running`],
    ["state", definition.isActive ? "active" : "inactive: takes no new strategies"],
  ];
  const lines = facts.map(([name, value]) => `  ${name.padEnd(14)}  ${printable(value)}`);
  return [
    printable(definition.name),
    ...lines,
    "",
    output.table(definition.params, paramColumns),
  ].join("\n");
}
