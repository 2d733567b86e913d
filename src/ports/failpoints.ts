/**
 * The places where a crash must lose nothing and double nothing, in the order in which work passes
 * them. Each is named so that a test can kill the process exactly there. Those that say "in" are
 * inside an open transaction.
 */
export const WORK_FAILPOINTS = [
  // At a start: a shard's actors are restored, everybody who was cancelled runs again.
  "boot.shard-restored",
  "boot.resumed",
  // A tick is due: its row and its message.
  "tick.before-propose",
  "tick.in-propose",
  "tick.after-propose",
  // Its analysis: agents have run, agent runs are written, shard messages are sent.
  "tick.before-analysis",
  "tick.analysed",
  "tick.in-commit.agent-runs-written",
  "tick.in-commit.messages-sent",
  "tick.after-commit",
  // One shard's part of it; the second when it has settled and others have not.
  "fanout.shard-taken",
  "fanout.half-done",
  "decision.before",
  "decision.after",
  // The transaction of the journal, statement by statement; the third only after a refused row.
  "journal.before-commit",
  "journal.in-commit.claim-confirmed",
  "journal.in-commit.version-moved",
  "journal.in-commit.members-written",
  "journal.in-commit.counts-corrected",
  "journal.in-commit.all-written",
  "journal.after-commit",
  "actor.before-step",
  "actor.after-step",
  "tick.before-close",
  "tick.after-close",
  // A user's stop or resume: the wish, the message that carries it, and carrying it out.
  "control.before-request",
  "control.in-request.wish-written",
  "control.in-request.message-sent",
  "control.after-request",
  "stop.before-commit",
  "stop.after-commit",
  // A planned shutdown: work under way has ended, a shard's strategies are marked cancelled.
  "shutdown.begun",
  "shutdown.drained",
  "shutdown.shard-cancelled",
] as const;

/**
 * The same for live orders: their intent is committed, each is sent, what the venue says becomes a
 * message, and that is booked. After a restart an order is asked for first.
 */
export const ORDER_FAILPOINTS = [
  "orders.before-intent",
  "orders.after-intent",
  "orders.before-send",
  "orders.after-send",
  "orders.answered",
  "orders.report-stored",
  "orders.before-booking",
  "orders.after-booking",
  "orders.before-find",
  "orders.after-find",
] as const;

export const FAILPOINTS = [...WORK_FAILPOINTS, ...ORDER_FAILPOINTS] as const;

export type Failpoint = (typeof FAILPOINTS)[number];

/** Called each time a failpoint is passed; does nothing in normal life. */
export type OnFailpoint = (failpoint: Failpoint) => void;

export const noFailpoints: OnFailpoint = () => undefined;
