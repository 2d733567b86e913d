import { createActor, type ActorRefFrom } from "xstate";
import { DomainError } from "#domain/errors.ts";
import type { Definition } from "#domain/definition.ts";
import { timeframeMs } from "#domain/timeframe.ts";
import type { Tick, TickInput } from "#domain/tick.ts";
import { templateGroupMachine, type GroupEvent } from "#machines/template-group.machine.ts";
import type { Claim } from "#ports/work-queue.ts";
import { abortable } from "#engine/abortable.ts";
import { tickAlert } from "./tick-alert.ts";
import { analyse } from "./analysis.ts";
import type { EngineDependencies } from "#engine/dependencies.ts";
import { frozen } from "#engine/frozen.ts";
import { observeInTime } from "#engine/observation.ts";
import type { TickInputs } from "./tick-inputs.ts";

/** The supervisor of one definition on this node. */
export class GroupHost {
  readonly #dependencies: EngineDependencies;
  readonly #inputs: TickInputs;
  readonly #actor: ActorRefFrom<typeof templateGroupMachine>;

  constructor(definitionId: string, dependencies: EngineDependencies, inputs: TickInputs) {
    this.#dependencies = dependencies;
    this.#inputs = inputs;
    this.#actor = createActor(templateGroupMachine, { input: { definitionId } });
    this.#actor.start();
  }

  get state(): string {
    return this.#actor.getSnapshot().value;
  }

  /** A shard of ours settled the tick; true when it was the last this node waits for. */
  settled(tickId: string, shardId: string): boolean {
    const { tick, outstanding } = this.#actor.getSnapshot().context;
    if (tick?.id !== tickId || !outstanding.includes(shardId)) return false;
    this.tell({ type: "SHARD_SETTLED", tickId, shardId });
    return this.#actor.getSnapshot().context.outstanding.length === 0;
  }

  tell(event: GroupEvent): void {
    this.#actor.send(event);
  }

  /**
   * Analyses the tick once and commits market, analysis and shard jobs with the completion of the
   * tick's own job. Crash window: before that commit nothing happened and the job comes again; after
   * it the stored analysis is what everybody uses.
   */
  async run(claim: Claim, tick: Tick, definition: Definition): Promise<string[]> {
    const { logger, failpoint, store } = this.#dependencies;
    this.tell({ type: "TICK_DUE", tick });
    try {
      failpoint("tick.before-analysis");
      const prepared = await abortable(claim.signal, this.#prepare(tick, definition));
      failpoint("tick.analysed");
      const shardIds = await store.commitAnalysis({ claim, ...prepared });
      failpoint("tick.after-commit");
      this.tell({ type: "FANNED_OUT", shardIds });
      if (shardIds.length === 0) this.tell({ type: "TICK_CLOSED", tickId: tick.id });
      return shardIds;
    } catch (error) {
      this.tell({ type: "ANALYSIS_FAILED" });
      if (!(error instanceof DomainError) || !isHopeless(error)) throw error;
      const { code, message } = error;
      logger.error({ definition: definition.name, tickId: tick.id, code }, message);
      await store.failTick(claim, tick.id, { code, message });
      const detail = { definitionId: definition.id, tickId: tick.id, code };
      await store.raiseAlert(tickAlert("tick_failed", message, detail));
      return [];
    }
  }

  async #prepare(tick: Tick, definition: Definition) {
    const { channels, decisions, settings, timer } = this.#dependencies;
    // Names are checked before anything is fanned out: no strategy can do anything about them.
    channels.get(definition.tradeChannel);
    decisions.get(definition.decisionAgent);
    const startedAt = timer.elapsed();
    const at = tick.scheduledFor;
    const timeframe = timeframeMs(definition);
    const since = tick.previousFor ?? at - timeframe;
    const market = await observeInTime(
      { symbols: definition.symbols, at, since, timeframeMs: timeframe },
      this.#dependencies,
    );
    const news = { market, since: tick.previousFor };
    const outputs = await analyse(definition, news, this.#dependencies);
    const analysis = Object.fromEntries(outputs.map((output) => [output.agent, output]));
    const input: TickInput = frozen({ tick, definition, market, analysis });
    this.#inputs.keep(input);
    return {
      tick,
      definition,
      market,
      outputs,
      analysisMs: Math.round(timer.elapsed() - startedAt),
      deadlineMs: settings.tickDeadlineMs,
    };
  }
}

/** Errors that a retry cannot mend: the definition names something that is not there. */
function isHopeless(error: DomainError): boolean {
  return (
    error.code === "UNKNOWN_AGENT" ||
    error.code === "UNKNOWN_DECISION_AGENT" ||
    error.code === "UNKNOWN_CHANNEL"
  );
}
