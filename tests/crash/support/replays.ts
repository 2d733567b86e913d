import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { TECHNICAL_BARS } from "#tools/technical-reading.ts";

const NAME = "bitcoin-daily.csv";
const BUNDLED = fileURLToPath(new URL(`../../../data/candles/${NAME}`, import.meta.url));
/** Bars before the first tick. */
const WARM_UP = TECHNICAL_BARS;
/** Where the bars begin, so that the first tick comes in a busy time, with the fall of September 2019. */
const BUSY = "2018-08-01";

export interface Replays extends AsyncDisposable {
  /** The bundled daily bars, cut off so that they give `ticks` ticks to each daily definition. */
  ofTicks(ticks: number): Promise<string>;
}

export async function openReplays(): Promise<Replays> {
  const folder = await mkdtemp(join(tmpdir(), "troupe-replay-"));
  const [head = "", ...days] = (await readFile(BUNDLED, "utf8")).trimEnd().split("\n");
  const busy = days.filter((day) => day >= BUSY);
  // Each once: whoever reads one must not meet it half written by another that asks for the same.
  const written = new Map<number, Promise<string>>();
  const write = async (ticks: number): Promise<string> => {
    // Under the same name in each folder: the name is part of every quote.
    const path = join(folder, String(ticks), NAME);
    await mkdir(join(folder, String(ticks)));
    const bars = WARM_UP + ticks - 1;
    // As many as a long run asks for there are only from the beginning on.
    const lines = (busy.length < bars ? days : busy).slice(0, bars);
    await writeFile(path, `${[head, ...lines].join("\n")}\n`);
    return path;
  };
  return {
    ofTicks(ticks) {
      const path = written.get(ticks) ?? write(ticks);
      written.set(ticks, path);
      return path;
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}
