/**
 * The places where a crash must lose nothing and double nothing. Each is named so that a test can
 * kill the process exactly there.
 */
export const BOUNDARIES = [
  "tick.before-propose",
  "tick.after-propose",
  "tick.before-analysis",
  "tick.before-commit",
  "tick.after-commit",
  "fanout.shard-taken",
  "decision.before",
  "decision.after",
  "journal.before-commit",
  "journal.after-commit",
  "actor.before-step",
  "actor.after-step",
  "tick.before-close",
  "tick.after-close",
  "stop.before-commit",
  "stop.after-commit",
  "shutdown.begun",
] as const;

export type Boundary = (typeof BOUNDARIES)[number];

/** Called each time the engine passes a boundary; does nothing in normal life. */
export type ReachBoundary = (boundary: Boundary) => void;
