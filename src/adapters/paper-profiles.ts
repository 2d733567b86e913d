import type { LotRules, PaperProfile } from "./paper-channel.ts";

const lot = (step: string, minNotional: string, maxQuantity: string | null = null): LotRules => ({
  quantityStep: step,
  minQuantity: step,
  maxQuantity,
  minNotional,
});

/** Paper copies of real venues: their public lowest-tier taker fees, lot rules and leverage limits. */
export const PAPER_PROFILES: readonly PaperProfile[] = [
  {
    name: "binance_spot",
    marketType: "spot",
    maxLeverage: 1,
    takerFeeRate: 0.001,
    slippageBps: 5,
    maxVolumeShare: 0.1,
    rules: { BTC: lot("0.00001", "5", "9000"), ETH: lot("0.0001", "5", "9000") },
    defaultRules: lot("0.0001", "5"),
  },
  {
    name: "binance_perp",
    marketType: "perpetual",
    maxLeverage: 125,
    takerFeeRate: 0.0005,
    slippageBps: 3,
    maxVolumeShare: 0.1,
    fundingGraceMs: 15_000,
    rules: { BTC: lot("0.001", "100", "1000"), ETH: lot("0.001", "20", "10000") },
    defaultRules: lot("0.01", "5"),
  },
  {
    name: "hyperliquid_perp",
    marketType: "perpetual",
    maxLeverage: 40,
    takerFeeRate: 0.00045,
    slippageBps: 5,
    maxVolumeShare: 0.1,
    rules: { BTC: lot("0.00001", "10"), ETH: lot("0.0001", "10") },
    defaultRules: lot("0.01", "10"),
  },
];
