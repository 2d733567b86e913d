import type { Fill } from "./trading.ts";

/** A fill as the venue names it: `tradeId` is the venue's own, unique within the order. */
export interface VenueFill extends Fill {
  tradeId: string;
}

/**
 * What a venue says of one order at one moment. Whole, not a change: the newest report says everything
 * earlier ones said, and a report may come twice or after a newer one.
 */
export interface OrderReport {
  clientOrderId: string;
  symbol: string;
  exchangeOrderId: string | null;
  /** `open` may be partly filled; the others are final, and may have fills, too. */
  status: "open" | "filled" | "cancelled" | "expired" | "rejected";
  /** All fills of the order that the venue has told of so far. */
  fills: VenueFill[];
  /** Why it was refused or ended without being filled whole; null when there is nothing to say. */
  reason: string | null;
}
