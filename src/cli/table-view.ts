import type { StrategyState } from "#domain/strategy.ts";
import { age, instant, money, percent, plural, returnOf, type Paint } from "./format.ts";
import { grid, type Column } from "./grid.ts";
import type { Overview, OverviewRow } from "./overview.ts";

/** What does not change while the engine runs. */
export interface Surroundings {
  database: "postgres" | "pglite";
  url: string;
  /** Of this process, for whoever wants to end it. */
  pid: number;
  logFile: string;
}

export interface Frame {
  width: number;
  paint: Paint;
}

/** Lines of the frame that are not strategies: header, column heads, notices, totals, footer. */
export const CHROME_LINES = 12;

const STATE_STYLES: Readonly<Record<StrategyState, Parameters<Paint>[0]>> = {
  running: "green",
  composing: "cyan",
  executing: "cyan",
  stopped: "dim",
  cancelled: "yellow",
};

export const FINISHED =
  "the replay is at its end: all recorded candles are played, no tick will come; strategies keep their state";
export const POWER_CUT = "embedded database: a power cut may lose the last seconds";

/** The living table as text. */
export function tableView(overview: Overview, around: Surroundings, frame: Frame): string {
  const { paint, width } = frame;
  const fit = (line: string): string =>
    line.length > width ? `${line.slice(0, width - 1)}…` : line;
  const header = headerLines(overview, around).map(fit);
  const [title = "", ...rest] = header;
  const body = grid(overview.rows, columnsAt(overview.market), frame);
  return [
    paint("bold", title),
    ...rest.map((line) => paint("dim", line)),
    "",
    body,
    ...(overview.hidden > 0 ? [fit(`… and ${plural(overview.hidden, "more strategy")}`)] : []),
    "",
    fit(totalsLine(overview)),
    ...(overview.notices.length > 0 ? [paint("yellow", fit(overview.notices.join("; ")))] : []),
    "",
    ...footerLines(overview).map((line) => paint("dim", fit(line))),
  ].join("\n");
}

function headerLines({ market, progress }: Overview, around: Surroundings): string[] {
  const rate = `${progress.cyclesPerSecond.toFixed(1)} cycles/s`;
  const span = `${instant(market.from)} to ${instant(market.to)}`;
  const position = `replay of ${span} at ${instant(market.now)}`;
  const work = `${plural(progress.ticks, "tick")}, ${plural(progress.cycles, "cycle")}, ${rate}`;
  const database = around.database === "postgres" ? "PostgreSQL" : POWER_CUT;
  return [
    `Troupe  ${position}${market.finished ? " (finished)" : ""}  ${work}`,
    `API ${around.url}  log ${around.logFile}  pid ${around.pid}`,
    database,
  ];
}

function totalsLine({ progress, totals }: Overview): string {
  const states = Object.entries(progress.byState).flatMap(([state, count]) =>
    count === 0 ? [] : [`${count} ${state}`],
  );
  const gain = percent(returnOf(totals.equity, totals.pnl));
  const count = plural(progress.strategies, "strategy");
  return `${count}: ${states.join(", ")}  equity ${money(totals.equity)}  ${gain}`;
}

function footerLines({ market }: Overview): string[] {
  return market.finished
    ? [`${FINISHED}; Ctrl-C to leave`, HINT]
    : ["Ctrl-C stops the engine; it sells nothing and goes on from here at the next start", HINT];
}

const HINT = "in another terminal: npm run troupe -- strategies list  (or: strategies stop <id>)";

const columnsAt = ({ now, finished }: Overview["market"]): Column<OverviewRow>[] => [
  { head: "STRATEGY", cell: ({ name }) => name, elastic: true },
  { head: "DEFINITION", cell: ({ definition }) => definition, dispensable: 4 },
  { head: "STATE", cell: ({ state }) => ({ text: state, style: STATE_STYLES[state] }) },
  { head: "EQUITY", cell: ({ equity }) => money(equity), align: "right" },
  { head: "RETURN", cell: (row) => gain(row.return), align: "right" },
  { head: "SIGNAL", cell: signalOf, dispensable: 2 },
  {
    head: "CYCLE",
    cell: ({ cycleIndex }) => (cycleIndex === 0 ? "-" : `#${cycleIndex}`),
    align: "right",
    dispensable: 1,
  },
  {
    head: "AGE",
    // Time stands still at the end: an age of it would say "now" for ever.
    cell: ({ lastCycleAt }) => (lastCycleAt === null || finished ? "-" : age(now - lastCycleAt)),
    align: "right",
    dispensable: 3,
  },
];

function gain(fraction: number | null) {
  const text = percent(fraction);
  if (fraction === null || fraction === 0) return text;
  return { text, style: fraction > 0 ? "green" : "red" } as const;
}

function signalOf({ failed, signal }: OverviewRow) {
  if (failed) return { text: "failed", style: "red" } as const;
  return signal ?? "-";
}
