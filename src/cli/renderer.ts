import { createLogUpdate } from "log-update";
import { instant, money, paintFor, percent, plural, returnOf } from "./format.ts";
import type { Overview } from "./overview.ts";
import { CHROME_LINES, FINISHED, tableView, type Surroundings } from "./table-view.ts";

/** How a running engine shows itself. */
export interface Renderer {
  /** Something worth a line of its own. */
  note(line: string): void;
  /** Shows the engine from now on, at most as often as the renderer allows. */
  show(source: (room: number) => Overview, around: Surroundings): void;
  close(): void;
}

const FRAME_MS = 250;
const LINE_MS = 1_000;
/** With thousands of strategies a frame costs too much to be drawn four times a second. */
const LARGE = 1_000;

/** A table that is drawn over itself. */
export function createTableRenderer(out: NodeJS.WriteStream): Renderer {
  const draw = createLogUpdate(out);
  const paint = paintFor(out);
  let timer: NodeJS.Timeout | undefined;
  return {
    note: (line) => {
      if (timer === undefined) out.write(`${line}\n`);
      else draw.persist(line);
    },
    show: (source, around) => {
      const render = (): number => {
        const { columns: width, rows: height } = out;
        const overview = source(Math.max(height - CHROME_LINES, 1));
        draw(tableView(overview, around, { width, paint }));
        return overview.progress.strategies > LARGE ? LINE_MS : FRAME_MS;
      };
      const next = (): void => {
        timer = setTimeout(next, render());
      };
      next();
    },
    close: () => {
      clearTimeout(timer);
      timer = undefined;
      draw.done();
    },
  };
}

/** Lines for a log or a pipe: one per second in which something happened. */
export function createPlainRenderer(out: NodeJS.WritableStream): Renderer {
  let timer: NodeJS.Timeout | undefined;
  const note = (line: string): void => void out.write(`${line}\n`);
  return {
    note,
    show: (source) => {
      timer = setInterval(
        onNews(source, (overview) => note(lineOf(overview))),
        LINE_MS,
      );
    },
    close: () => clearInterval(timer),
  };
}

/** One JSON object per line. */
export function createJsonRenderer(out: NodeJS.WritableStream): Renderer {
  let timer: NodeJS.Timeout | undefined;
  const write = (event: object): void => void out.write(`${JSON.stringify(event)}\n`);
  return {
    note: (message) => write({ event: "note", message }),
    show: (source, around) => {
      write({ event: "listening", ...around });
      const progress = ({ rows: _rows, hidden: _hidden, ...rest }: Overview): void =>
        write({ event: "progress", ...rest });
      timer = setInterval(onNews(source, progress), LINE_MS);
    },
    close: () => clearInterval(timer),
  };
}

/** Calls `tell` only when a tick was worked on, a cycle was made, or the replay came to its end. */
function onNews(
  source: (room: number) => Overview,
  tell: (overview: Overview) => void,
): () => void {
  let told = "";
  return () => {
    const overview = source(0);
    const { market, progress } = overview;
    const news = `${progress.ticks}/${progress.cycles}/${market.finished}`;
    if (news === told) return;
    told = news;
    tell(overview);
  };
}

function lineOf({ market, progress, totals }: Overview): string {
  const gain = percent(returnOf(totals.equity, totals.pnl));
  const rate = `${progress.cyclesPerSecond.toFixed(1)}/s`;
  const line = [
    instant(market.now),
    plural(progress.ticks, "tick"),
    `${plural(progress.cycles, "cycle")} (${rate})`,
    `${progress.byState.running} of ${progress.strategies} running`,
    `equity ${money(totals.equity)} (${gain})`,
  ].join("  ");
  return market.finished ? `${line}\n${FINISHED}` : line;
}
