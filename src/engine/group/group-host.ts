import { createActor, waitFor, type ActorRefFrom } from "xstate";
import { InvariantError, errorMessage } from "#domain/errors.ts";
import type { Definition } from "#domain/definition.ts";
import type { GroupState, Tick } from "#domain/tick.ts";
import type { GroupEvent } from "#machines/template-group.machine.ts";
import type { Claim } from "#ports/work-queue.ts";
import type { GroupMachine, TickDelivery } from "./group-effects.ts";

/** A group as this node sees it. */
export interface GroupView {
  definitionId: string;
  state: GroupState;
  /** `scheduledFor` of the tick under way, ms UTC. */
  tickFor: number | null;
  /** Shards of it that this node waits for. */
  outstandingShards: number;
  /** Ticks that this node had to skip since it started. */
  skipped: number;
}

/** The line to the supervisor of one definition on this node: tells it what happened. */
export class GroupHost {
  readonly #actor: ActorRefFrom<GroupMachine>;
  readonly #failed = Promise.withResolvers<never>();

  constructor(definitionId: string, machine: GroupMachine, onFailure: (error: unknown) => void) {
    this.#actor = createActor(machine, { input: { definitionId } });
    this.#failed.promise.catch(() => undefined);
    this.#actor.subscribe({
      error: (error) => {
        const message = `the group of ${definitionId} failed: ${errorMessage(error)}`;
        this.#failed.reject(new InvariantError(message, { cause: error }));
        onFailure(error);
      },
    });
    this.#actor.start();
  }

  get view(): GroupView {
    const { value, context } = this.#actor.getSnapshot();
    return {
      definitionId: context.definitionId,
      state: stateOf(value),
      tickFor: context.tick?.scheduledFor ?? null,
      outstandingShards: context.outstanding.length,
      skipped: context.skipped,
    };
  }

  /** The tick whose shards it waits for. */
  get fannedOut(): Tick | null {
    const snapshot = this.#actor.getSnapshot();
    return snapshot.matches("fanningOut") ? snapshot.context.tick : null;
  }

  get isClosing(): boolean {
    return this.#actor.getSnapshot().matches({ fanningOut: "closing" });
  }

  tell(event: GroupEvent<TickDelivery>): void {
    this.#actor.send(event);
  }

  /** Delivers a due tick; resolves when its message is settled, rejects when it must come again. */
  async due(claim: Claim, found: { tick: Tick; definition: Definition }): Promise<void> {
    const answer = Promise.withResolvers<void>();
    this.tell({ type: "TICK_DUE", ...found, delivery: { claim, answer } });
    await Promise.race([answer.promise, this.#failed.promise]);
  }

  /** Resolves when it is not about to close a tick. */
  async closed(): Promise<void> {
    const closed = waitFor(this.#actor, () => !this.isClosing);
    await Promise.race([closed, this.#failed.promise]).catch(() => undefined);
  }

  stop(): void {
    this.#actor.stop();
  }
}

function stateOf(
  value: ReturnType<ActorRefFrom<GroupMachine>["getSnapshot"]>["value"],
): GroupState {
  if (typeof value === "string") return value;
  return "analysing" in value ? "analysing" : "fanningOut";
}
