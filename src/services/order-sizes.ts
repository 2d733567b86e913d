import { orderSizes, type OrderSizes } from "#domain/order-size.ts";
import type { DecimalString } from "#domain/decimal.ts";
import { InvalidInputError } from "#domain/errors.ts";
import type { JsonObject } from "#domain/json.ts";
import { priceText } from "#domain/price-text.ts";
import type { Decisions, Named } from "#engine/dependencies.ts";
import type { TradeChannel } from "#ports/trade-channel.ts";

/** What of a definition decides how large its orders are. */
interface Trading {
  decisionAgent: string;
  tradeChannel: string;
  symbols: readonly string[];
}

interface Means {
  decisions: Decisions;
  channels: Named<TradeChannel>;
}

/**
 * How the purchases of a strategy worth `balance` compare with its venue's smallest order; null where
 * its decision agent does not say how large they are.
 * @throws InvalidInputError INVALID_PARAMS
 */
export function sizesOf(
  { channels, decisions }: Means,
  { decisionAgent, symbols, tradeChannel }: Trading,
  { balance, params }: { balance: DecimalString; params: JsonObject },
): OrderSizes | null {
  const agent = decisions.get(decisionAgent);
  if (agent.purchaseRange === undefined) return null;
  const range = agent.purchaseRange(decisions.parseParams(decisionAgent, params));
  const channel = channels.get(tradeChannel);
  return orderSizes(
    balance,
    range,
    symbols.map((symbol) => channel.rules(symbol)),
  );
}

/**
 * What to warn of at creation.
 * @throws InvalidInputError INVALID_INPUT where nothing could ever be ordered
 */
export function sizeWarnings(sizes: OrderSizes | null, { tradeChannel }: Trading): string[] {
  if (sizes === null || sizes.tooSmall === "none") return [];
  const { balanceForAll, balanceForSome, largestPurchase, smallestOrder, smallestPurchase } = sizes;
  const order = `the smallest order on ${tradeChannel} is worth ${priceText(smallestOrder)}`;
  if (sizes.tooSmall === "some") {
    return [
      `${order} and purchases begin at ${priceText(smallestPurchase)}: smaller ones leave no order; from a balance of ${priceText(balanceForAll)} on every purchase is large enough`,
    ];
  }
  const message = `${order} and the largest purchase at this balance would be ${priceText(largestPurchase)}: nothing could ever be ordered; expected at least ${priceText(balanceForSome)}, better ${priceText(balanceForAll)}`;
  throw new InvalidInputError("INVALID_INPUT", `initialBalance: ${message}`, {
    fields: [{ field: "initialBalance", message }],
  });
}
