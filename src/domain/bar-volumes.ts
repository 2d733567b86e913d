import type { DecimalString } from "./decimal.ts";
import type { TakenVolume } from "./exit.ts";
import { type Fixed, fixed, fixedString, multiply } from "./fixed.ts";
import type { MarketSnapshot } from "./market.ts";

/** One bar's volume as orders meet it. */
export interface VolumeSource {
  symbol: string;
  barCloseAt: number;
  /** Base currency; null: not known. */
  volume: DecimalString | null;
}

/**
 * What bars still have to give to one strategy: a share of each bar's volume, once, over all its orders
 * and cycles. A volume that is not known limits nothing; one of zero gives nothing.
 */
export class BarVolumes {
  readonly #share: Fixed | null;
  readonly #taken = new Map<string, { symbol: string; barCloseAt: number; quantity: Fixed }>();

  /** `share`: fraction of a bar's volume; null: no limit. `taken`: by earlier cycles. */
  constructor(share: Fixed | null, taken: readonly TakenVolume[] = []) {
    this.#share = share;
    for (const one of taken) {
      this.#taken.set(keyOf(one), { ...one, quantity: fixed(one.quantity) });
    }
  }

  /** Null: as much as is asked for. */
  available(source: VolumeSource): Fixed | null {
    if (this.#share === null || source.volume === null) return null;
    const left = multiply(fixed(source.volume), this.#share) - this.takenFrom(source);
    return left > 0n ? left : 0n;
  }

  takenFrom(source: Pick<VolumeSource, "symbol" | "barCloseAt">): Fixed {
    return this.#taken.get(keyOf(source))?.quantity ?? 0n;
  }

  take({ symbol, barCloseAt, volume }: VolumeSource, quantity: Fixed): void {
    if (volume === null) return;
    const key = keyOf({ symbol, barCloseAt });
    const before = this.#taken.get(key)?.quantity ?? 0n;
    this.#taken.set(key, { symbol, barCloseAt, quantity: before + quantity });
  }

  /** Why an order for `asked` got `filled` only. */
  shortfall(source: VolumeSource, { asked, filled }: { asked: Fixed; filled: Fixed }): string {
    const before = this.takenFrom(source);
    const given = before > 0n ? `, of which ${fixedString(before)} had been taken` : "";
    const share = this.#share === null ? "1" : fixedString(this.#share);
    return `filled ${fixedString(filled)} of ${fixedString(asked)}: at most ${share} of the bar's volume ${source.volume ?? "?"}${given}`;
  }

  /** What later cycles must know: no order meets a bar again once a newer one has closed. */
  remembered({ quotes }: Pick<MarketSnapshot, "quotes">): TakenVolume[] {
    if (this.#share === null) return [];
    return [...this.#taken.values()]
      .filter(({ symbol, barCloseAt }) => barCloseAt >= (quotes[symbol]?.at ?? 0))
      .map((one) => ({ ...one, quantity: fixedString(one.quantity) }));
  }
}

/** The same without an order: nothing is made where nothing was taken. */
export function stillTaken(
  taken: readonly TakenVolume[],
  { quotes }: Pick<MarketSnapshot, "quotes">,
): readonly TakenVolume[] {
  if (taken.length === 0) return taken;
  return taken.filter(({ symbol, barCloseAt }) => barCloseAt >= (quotes[symbol]?.at ?? 0));
}

function keyOf({ symbol, barCloseAt }: Pick<VolumeSource, "symbol" | "barCloseAt">): string {
  return `${barCloseAt} ${symbol}`;
}
