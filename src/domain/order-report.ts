import { z } from "zod";
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

const amount = z.string().regex(/^\d+(\.\d+)?$/, "expected an amount in a string");

const orderReport: z.ZodType<OrderReport> = z.object({
  clientOrderId: z.string(),
  symbol: z.string(),
  exchangeOrderId: z.string().nullable(),
  status: z.enum(["open", "filled", "cancelled", "expired", "rejected"]),
  fills: z.array(
    z.object({
      tradeId: z.string(),
      symbol: z.string(),
      side: z.enum(["BUY", "SELL"]),
      quantity: amount,
      price: amount,
      fee: z.object({ amount: z.string(), currency: z.enum(["quote", "base"]) }),
      at: z.number(),
      leverage: z.number(),
    }),
  ),
  reason: z.string().nullable(),
});

/**
 * Reports of a venue, or of a stored message, as they must be to be booked.
 * @throws Error that names the first thing that is wrong
 */
export function readReports(value: unknown): OrderReport[] {
  const read = z.array(orderReport).safeParse(value);
  if (read.success) return read.data;
  throw new Error(`expected reports of orders: ${z.prettifyError(read.error)}`);
}
