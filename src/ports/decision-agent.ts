import type { Decision, DecisionInput } from "#domain/decision.ts";
import type { PurchaseRange } from "#domain/order-size.ts";
import type { z } from "zod";

/** Pure logic that turns analysis, market, portfolio and params into a plan. */
export interface DecisionAgent<Params = unknown> {
  /** The name definitions refer to; nothing is ever loaded from a path in the database. */
  readonly name: string;
  readonly displayName: string;
  readonly description: string;
  /** Validates and completes a strategy's params; cross-field rules included. */
  readonly paramsSchema: z.ZodType<Params>;
  /** How large its purchases may be, where that is known beforehand: compared with the venue's least. */
  purchaseRange?(params: Params): PurchaseRange;
  decide(input: DecisionInput<Params>): Decision | Promise<Decision>;
}
