import { setTimeout as pause } from "node:timers/promises";
import type { Command } from "commander";
import { DomainError } from "#domain/errors.ts";
import { openClient, type Client } from "./client.ts";
import { describe, perform, type JsonOption, type Output } from "./command.ts";
import { instant, plural } from "./format.ts";
import type { Column } from "./grid.ts";
import { EXIT } from "./problem.ts";
import { waitForEnd } from "./lifetime.ts";

interface PruneOptions extends JsonOption {
  keep: string;
  keepHourly?: string;
  dryRun?: boolean;
}

type Report = Awaited<ReturnType<Client["retention"]["start"]["mutate"]>>;

const LOOK_MS = 250;
const SAY_EVERY = 4;

export function pruneCommand(): Command {
  return describe("prune", "thin old history, beside the running engine", [
    "prune --keep 90d --dry-run",
    "prune --keep 90d",
    "prune --keep 4w --keep-hourly 26w --json",
  ])
    .requiredOption(
      "--keep <span>",
      "keep everything younger than this: a number with h, d or w, such as 90d",
    )
    .option(
      "--keep-hourly <span>",
      "keep one cycle per hour up to this age, then one per day (default: four times --keep)",
    )
    .option("--dry-run", "remove nothing, count what would be removed")
    .addHelpText(
      "after",
      "\nAlways kept: the first and the newest cycle of a strategy, and every cycle with orders, " +
        "that failed, or that no tick caused.\nCtrl-C ends it; what is done is done, and the next " +
        "one goes on from there. See docs/operations.md.",
    )
    .action((options: PruneOptions) => perform(options, (output) => prune(options, output)));
}

async function prune({ keep, keepHourly, dryRun }: PruneOptions, output: Output): Promise<void> {
  const { retention } = openClient();
  const hourly = keepHourly === undefined ? {} : { keepHourly };
  const started = await retention.start.mutate({ keep, ...hourly, dryRun: dryRun ?? false });
  if (!output.json) for (const line of cutoffLines(started)) console.error(line);
  const interrupted = waitForEnd();
  let report: Report | null = started;
  for (let look = 1; report !== null && isUnderWay(report); look += 1) {
    const signal = await Promise.race([pause(LOOK_MS, null), interrupted]);
    report = signal === null ? await retention.status.query() : await retention.stop.mutate();
    if (!output.json && look % SAY_EVERY === 0 && report !== null && isUnderWay(report)) {
      console.error(progressLine(report));
    }
  }
  if (report === null) {
    throw new DomainError("PORT_UNAVAILABLE", "the engine was started anew; prune again");
  }
  if (report.phase !== "done") process.exitCode = EXIT.failed;
  output.result(report, () => endText(report, output));
}

function isUnderWay({ phase }: Report): boolean {
  return phase === "cycles" || phase === "ticks" || phase === "vacuum";
}

function cutoffLines({ cutoffs }: Report): string[] {
  const spans = Object.values(cutoffs).map(
    ({ hourlyBefore, dailyBefore }) =>
      `whole since ${instant(hourlyBefore)}, hourly since ${instant(dailyBefore)}, daily before`,
  );
  if (spans.length === 0) return ["no template has a closed tick yet: nothing is old"];
  return [...new Set(spans)];
}

function progressLine(report: Report): string {
  const { done, total } = report.strategies;
  const { looked, phase, elapsedMs } = report;
  const of = phase === "cycles" ? `${done} of ${plural(total, "strategy")}` : phase;
  return `${of}: ${count(looked)} looked at, ${count(rowsOf(report))} rows removed, ${perSecond(rowsOf(report), elapsedMs)}`;
}

function endText(report: Report, output: Output): string {
  const { dryRun, elapsedMs, error, phase, removed, sizes } = report;
  const verb = dryRun ? "would remove" : "removed";
  const rows = [
    { table: "strategy_compose_cycles", removed: removed.cycles },
    { table: "strategy_portfolio_views", removed: removed.views },
    { table: "strategy_holdings", removed: removed.holdings },
    { table: "ticks", removed: removed.ticks },
    { table: "agent_runs", removed: removed.agentRuns },
  ] as const;
  const columns: Column<(typeof rows)[number]>[] = [
    { head: "TABLE", cell: ({ table }) => table },
    { head: dryRun ? "WOULD GO" : "REMOVED", cell: (row) => cell(row.removed), align: "right" },
    { head: "BEFORE", cell: ({ table }) => megabytes(sizes.before[table]), align: "right" },
    { head: "NOW", cell: ({ table }) => megabytes(sizes.after?.[table]), align: "right" },
  ];
  const ending =
    phase === "done"
      ? `${verb} ${plural(rowsOf(report), "row")} in ${(elapsedMs / 1000).toFixed(1)} s, ${perSecond(rowsOf(report), elapsedMs)}`
      : `${phase}${error === null ? "" : `: ${error.message} (${error.code})`}; what is done is done, prune again to go on`;
  const room = dryRun
    ? []
    : ["files keep their size: the room is used again by what is stored next (vacuum)"];
  return [output.table(rows, columns), ending, ...room].join("\n");
}

function rowsOf({ removed }: Report): number {
  const { agentRuns, cycles, holdings, ticks, views } = removed;
  return cycles + views + holdings + (ticks ?? 0) + (agentRuns ?? 0);
}

function perSecond(rows: number, ms: number): string {
  return `${count(Math.round((rows * 1000) / Math.max(ms, 1)))} rows/s`;
}

function count(value: number): string {
  return value.toLocaleString("en");
}

function cell(rows: number | null): string {
  return rows === null ? "not counted" : count(rows);
}

function megabytes(bytes: number | undefined): string {
  return bytes === undefined ? "-" : `${(bytes / 1_048_576).toFixed(1)} MB`;
}
