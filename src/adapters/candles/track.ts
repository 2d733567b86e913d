import { InvalidInputError } from "#domain/errors.ts";
import type { Candle } from "#domain/market.ts";
import { type BarNumbers, Bars } from "./bars.ts";
import { type BarStep, closeOf, nominalMs, stepText } from "./bar-step.ts";
import type { CandleSeries } from "./candle-file.ts";
import { printable } from "./file-problem.ts";

interface Part {
  series: CandleSeries;
  bars: Bars;
  /** Index of its first bar in the track. */
  from: number;
}

/** Every bar of one symbol, oldest first, out of one file or of several that follow each other. */
export class Track {
  readonly symbol: string;
  readonly step: BarStep;
  readonly stepMs: number;
  readonly length: number;
  /** In the order of their bars. */
  readonly #parts: readonly Part[];

  /** @throws InvalidInputError INVALID_DATA_FILE when steps differ or files overlap. */
  constructor(symbol: string, series: readonly CandleSeries[]) {
    const parts = partsOf(series);
    this.symbol = symbol;
    this.step = parts[0]?.series.step ?? { unit: "ms", size: 0 };
    this.stepMs = nominalMs(this.step);
    this.length = parts.reduce((sum, { bars }) => sum + bars.length, 0);
    this.#parts = parts;
  }

  get files(): string[] {
    return this.#parts.map(({ series }) => series.file);
  }

  get knowsVolume(): boolean {
    return this.#parts.every(({ series }) => series.knowsVolume);
  }

  /** Within its files and between them. */
  get gaps(): number {
    const within = this.#parts.reduce((sum, { series }) => sum + series.gaps, 0);
    const later = this.#parts.filter(({ from }) => from > 0);
    return within + later.filter(({ from }) => this.closeAt(from - 1) < this.openAt(from)).length;
  }

  /** NaN where there is no such bar. */
  get(index: number, field: keyof BarNumbers): number {
    const part = this.#partOf(index);
    return part?.bars.get(index - part.from, field) ?? NaN;
  }

  openAt(index: number): number {
    return this.get(index, "openAt");
  }

  closeAt(index: number): number {
    return closeOf(this.step, this.openAt(index), this.openAt(index + 1));
  }

  candle(index: number): Candle {
    const volume = this.get(index, "volume");
    return {
      openAt: this.openAt(index),
      closeAt: this.closeAt(index),
      open: this.get(index, "open"),
      high: this.get(index, "high"),
      low: this.get(index, "low"),
      close: this.get(index, "close"),
      volume: Number.isNaN(volume) ? null : volume,
    };
  }

  fileOf(index: number): string {
    return this.#partOf(index)?.series.file ?? "";
  }

  /** Of the newest bar closed at or before `at`, −1 when there is none. */
  newestIndex(at: number): number {
    let [low, high] = [0, this.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.closeAt(middle) <= at) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #partOf(index: number): Part | undefined {
    return index < 0 ? undefined : this.#parts.findLast(({ from }) => from <= index);
  }
}

function partsOf(series: readonly CandleSeries[]): Part[] {
  const ordered = series
    .map((one) => ({ series: one, bars: new Bars(one.bars) }))
    .toSorted((a, b) => a.bars.get(0, "openAt") - b.bars.get(0, "openAt"));
  let from = 0;
  return ordered.map(({ series, bars }, index) => {
    const previous = ordered[index - 1];
    if (previous !== undefined) assertFollows(previous, { series, bars });
    const part = { series, bars, from };
    from += bars.length;
    return part;
  });
}

function assertFollows(
  previous: { series: CandleSeries; bars: Bars },
  next: { series: CandleSeries; bars: Bars },
): void {
  const [step, before] = [stepText(next.series.step), stepText(previous.series.step)];
  const { file } = previous.series;
  if (step !== before) {
    throw clash(next.series, `has a step of ${step}, ${file} one of ${before}`);
  }
  const nextOpen = next.bars.get(0, "openAt");
  const lastOpen = previous.bars.get(previous.bars.length - 1, "openAt");
  if (nextOpen < closeOf(previous.series.step, lastOpen, nextOpen)) {
    throw clash(next.series, `overlaps ${file}`);
  }
}

function clash(series: CandleSeries, problem: string): InvalidInputError {
  const message = printable(
    `${series.file}: ${problem}; replay ${series.symbol} from one of them, or cut them so that one follows the other`,
  );
  const details = { file: series.file, symbol: series.symbol };
  return new InvalidInputError("INVALID_DATA_FILE", message, { details });
}
