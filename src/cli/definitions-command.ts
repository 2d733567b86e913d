import { Command } from "commander";
import { durationText } from "#domain/duration-text.ts";
import { openClient, type Client } from "./client.ts";
import { describe, perform, type JsonOption } from "./command.ts";
import type { Cell, Column } from "./grid.ts";

type Definition = Awaited<ReturnType<Client["definitions"]["list"]["query"]>>[number];

const columns: readonly Column<Definition>[] = [
  { head: "NAME", cell: ({ name }) => name },
  { head: "TITLE", cell: ({ displayName }) => displayName, dispensable: 2, elastic: true },
  { head: "DECISION AGENT", cell: ({ decisionAgent }) => decisionAgent, dispensable: 3 },
  { head: "CHANNEL", cell: ({ tradeChannel }) => tradeChannel, dispensable: 4 },
  { head: "SYMBOLS", cell: ({ symbols }) => symbols.join(", "), dispensable: 1 },
  { head: "PERIOD", cell: periodOf, align: "right" },
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
