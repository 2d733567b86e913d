import type { ClaimDesk, EntrustedClaim } from "#ports/work-queue.ts";
import type { ShardPorts } from "#engine/dependencies.ts";
import { LocalShards } from "#engine/shard/local-shards.ts";
import type { Logger } from "#ports/logger.ts";
import { TickInputs } from "#engine/group/tick-inputs.ts";
import {
  fromPlain,
  toPlain,
  type Answer,
  type FromThread,
  type Line,
  type ToThread,
} from "./messages.ts";

export type EngineLine = Line<FromThread, ToThread>;

export interface ServeOptions {
  ports: Omit<ShardPorts, "clock" | "logger">;
  desk: ClaimDesk;
  line: EngineLine;
  /** The engine has no more work for this thread. */
  onClose: () => void;
}

/** A shard thread's side of the line: does for the engine what it asks, on shards that live here. */
export function serveShards({ ports, desk, line, onClose }: ServeOptions): void {
  let now = 0;
  const observe = (instant: number): void => {
    now = Math.max(now, instant);
  };
  // Time is told with each message: this thread never waits for it.
  const parts = { ...ports, clock: { now: () => now, observe }, logger: loggerOn(line) };
  const shards = new LocalShards(parts, new TickInputs(ports.store), (commit) =>
    line.send({ type: "committed", commit }),
  );
  const claims = new Map<number, EntrustedClaim>();

  const answer = async (call: number, work: Promise<Answer>): Promise<void> => {
    try {
      line.send({ type: "done", call, answer: await work });
    } catch (error) {
      line.send({ type: "failed", call, error: toPlain(error) });
    } finally {
      claims.delete(call);
    }
  };

  line.onMessage((message) => {
    switch (message.type) {
      case "restore":
        void answer(message.call, shards.restore(message.heads));
        break;
      case "work": {
        const { call, ticket } = message;
        observe(message.now);
        const claim = desk.accept(ticket, () => line.send({ type: "yielded", call }));
        claims.set(call, claim);
        void answer(call, shards.work(claim));
        break;
      }
      case "abort":
        claims.get(message.call)?.abort(fromPlain(message.error));
        break;
      case "cancel":
        void answer(
          message.call,
          shards.cancel(message.heads, message.reason).then(() => null),
        );
        break;
      case "close":
        onClose();
        break;
    }
  });
}

/** One log, written by the engine's own thread. */
function loggerOn(line: EngineLine): Logger {
  const at = (level: keyof Logger) => (detail: object, message: string) =>
    line.send({ type: "logged", level, detail, message });
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
