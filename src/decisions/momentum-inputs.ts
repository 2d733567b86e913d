import { z } from "zod";

/** What the agent `regime_filter` puts into its output's `data`. */
export const regimeReadingSchema = z.object({
  /** Health of the market, 0 (dangerous) .. 100 (very healthy). */
  regime_score: z.number().min(0).max(100),
  classification: z.string(),
  /** Normalised indicators the score was made of, −1..1, by indicator name. */
  components: z.record(z.string(), z.number()),
});

/** One symbol as the agent `ta_momentum` sees it. */
export const momentumOpportunitySchema = z.object({
  symbol: z.string().min(1),
  signal: z.enum(["LONG", "SHORT", "NEUTRAL"]),
  /** 0..1 */
  signal_strength: z.number().min(0).max(1),
  /** 0..1 */
  confidence: z.number().min(0).max(1),
  /** Quote currency. */
  entry_price: z.number(),
  /** Average true range, quote currency; null: not enough candles. */
  atr: z.number().nullable(),
  /** Distance of the stop loss in ATRs; null: the strategy's default. */
  stop_loss_distance_atr: z.number().nullable(),
  /** Reward per unit of risk; null: the strategy's default. */
  take_profit_rr: z.number().nullable(),
  reasoning: z.string(),
});
export type MomentumOpportunity = z.infer<typeof momentumOpportunitySchema>;

/** What the agent `ta_momentum` puts into its output's `data`. */
export const momentumReadingSchema = z.object({
  /** The strongest LONG or SHORT of all symbols; null: none is worth a trade. */
  best_opportunity: momentumOpportunitySchema.nullable(),
  /** By symbol. */
  assets: z.record(z.string(), momentumOpportunitySchema),
});
