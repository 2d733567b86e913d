import { Command } from "commander";
import { openClient, type Client } from "./client.ts";
import { describe, perform, type JsonOption } from "./command.ts";
import type { Column } from "./grid.ts";

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
  return new Command("definitions").description("strategy templates").addCommand(list);
}
