/** The numbers of one bar, in the order they are held. */
export interface BarNumbers {
  openAt: number;
  open: number;
  high: number;
  low: number;
  close: number;
  /** NaN: not known. */
  volume: number;
}

/** What a list of bars is made of: plain data on shared memory, so that threads read the same bars. */
export interface BarData {
  blocks: Float64Array[];
  length: number;
}

/** Where each number of a bar stands. */
const OFFSETS = { openAt: 0, open: 1, high: 2, low: 3, close: 4, volume: 5 } as const;
const WIDTH = 6;
/** Bars per block: memory grows by 192 KB at a time and nothing is copied. */
const BLOCK_BARS = 4096;

/** Bars by index in 48 bytes each; an object per bar would take several hundred. */
export class Bars {
  readonly data: BarData;

  constructor(data: BarData = { blocks: [], length: 0 }) {
    this.data = data;
  }

  get length(): number {
    return this.data.length;
  }

  push(bar: BarNumbers): void {
    const { blocks, length } = this.data;
    if (length === blocks.length * BLOCK_BARS) blocks.push(emptyBlock());
    this.data.length += 1;
    this.#put(length, bar);
  }

  /** NaN outside of the list. */
  get(index: number, field: keyof BarNumbers): number {
    const block = this.data.blocks[Math.floor(index / BLOCK_BARS)];
    if (block === undefined || index >= this.data.length) return NaN;
    return block[(index % BLOCK_BARS) * WIDTH + OFFSETS[field]] ?? NaN;
  }

  at(index: number): BarNumbers {
    return {
      openAt: this.get(index, "openAt"),
      open: this.get(index, "open"),
      high: this.get(index, "high"),
      low: this.get(index, "low"),
      close: this.get(index, "close"),
      volume: this.get(index, "volume"),
    };
  }

  /** In place: for files that begin with the newest bar. */
  reverse(): void {
    for (let [low, high] = [0, this.length - 1]; low < high; low += 1, high -= 1) {
      const [first, last] = [this.at(low), this.at(high)];
      this.#put(low, last);
      this.#put(high, first);
    }
  }

  /** Of all bars: it was never known. */
  forgetVolume(): void {
    for (let index = 0; index < this.length; index += 1) {
      this.#put(index, { ...this.at(index), volume: NaN });
    }
  }

  #put(index: number, bar: BarNumbers): void {
    const block = this.data.blocks[Math.floor(index / BLOCK_BARS)];
    const start = (index % BLOCK_BARS) * WIDTH;
    if (block === undefined) return;
    block[start] = bar.openAt;
    block[start + OFFSETS.open] = bar.open;
    block[start + OFFSETS.high] = bar.high;
    block[start + OFFSETS.low] = bar.low;
    block[start + OFFSETS.close] = bar.close;
    block[start + OFFSETS.volume] = bar.volume;
  }
}

function emptyBlock(): Float64Array {
  const bytes = BLOCK_BARS * WIDTH * Float64Array.BYTES_PER_ELEMENT;
  return new Float64Array(new SharedArrayBuffer(bytes));
}
