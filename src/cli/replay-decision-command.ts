import type { Command } from "commander";
import { openClient, type Client } from "./client.ts";
import { describe, perform, type JsonOption } from "./command.ts";
import { EXIT } from "./problem.ts";

/** Ends with 0 when the cycle is identical, with 1 when it is not. */
export function replayDecisionCommand(): Command {
  return describe("replay-decision", "decide a stored cycle again, and say what differs", [
    "strategies cycles 3f2a91c0     # shows the ids of a strategy's cycles",
    "replay-decision 6f1c2b1e-4a0d-5c52-9d0e-2b7f3f0a9c11",
    "replay-decision 6f1c2b1e-4a0d-5c52-9d0e-2b7f3f0a9c11 --json",
  ])
    .argument("<composeId>", "the cycle's id")
    .action((composeId: string, options: JsonOption) =>
      perform(options, async (output) => {
        const replay = await openClient().strategies.replayDecision.query({ composeId });
        if (!replay.identical) process.exitCode = EXIT.failed;
        output.result(replay, () => inWords(replay));
      }),
    );
}

type Replay = Awaited<ReturnType<Client["strategies"]["replayDecision"]["query"]>>;

function inWords({ cycleIndex, differences, identical, strategyId }: Replay): string {
  const which = `cycle ${cycleIndex} of strategy ${strategyId}`;
  if (identical) return `identical: ${which}`;
  const lines = differences.map(
    ({ path, stored, again }) =>
      `  ${path}: stored ${JSON.stringify(stored)}, again ${JSON.stringify(again)}`,
  );
  return [`different: ${which}`, ...lines].join("\n");
}
