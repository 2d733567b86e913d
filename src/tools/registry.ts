/** A named function agents call, as shown to administrators. */
export interface ToolInfo {
  name: string;
  displayName: string;
  description: string;
}

export const ToolName = {
  fetchCandles: "fetch_candles",
  calculateIndicators: "calculate_indicators",
  deriveFearGreed: "derive_fear_greed",
  readRegime: "read_regime",
} as const;
export type ToolName = (typeof ToolName)[keyof typeof ToolName];

const TOOLS: Readonly<Record<ToolName, Omit<ToolInfo, "name">>> = {
  fetch_candles: {
    displayName: "Fetch candles",
    description: "Closed bars of one symbol from the market feed, oldest first.",
  },
  calculate_indicators: {
    displayName: "Calculate indicators",
    description: "EMA, MACD, Bollinger bands, and RSI and ATR with Wilder's smoothing.",
  },
  derive_fear_greed: {
    displayName: "Derive fear & greed",
    description: "An index 0..100 from volatility, momentum and drawdown of the candles.",
  },
  read_regime: {
    displayName: "Read regime",
    description: "Market health 0..100 from trend, volatility and drawdown of the candles.",
  },
};

/** Every tool, by name ascending. */
export function listTools(): ToolInfo[] {
  return Object.values(ToolName)
    .map((name) => ({ name, ...TOOLS[name] }))
    .toSorted((a, b) => a.name.localeCompare(b.name));
}
