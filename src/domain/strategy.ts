/** States of the strategy machine. */
export const StrategyState = {
  running: "running",
  composing: "composing",
  executing: "executing",
  stopped: "stopped",
  cancelled: "cancelled",
} as const;
export type StrategyState = (typeof StrategyState)[keyof typeof StrategyState];

/** What the owner wants; the engine reconciles the actor to it (I14). */
export type DesiredStatus = "running" | "stopped";

export const StopReason = {
  /** A user, an admin or a protection asked for it. */
  normalExit: "normal_exit",
  /** The strategy could not go on; see the detail and the alert. */
  error: "error",
  /** Stopped with positions left open that should have been closed; the detail names them. */
  errorClosingPositions: "error_closing_positions",
  /** Its account ended: a liquidation took all that stood behind it. */
  bankrupt: "bankrupt",
  /** Planned interruption; resumed at the next boot. */
  cancelled: "cancelled",
} as const;
export type StopReason = (typeof StopReason)[keyof typeof StopReason];
