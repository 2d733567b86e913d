import type { Definition } from "#domain/definition.ts";
import { errorMessage } from "#domain/errors.ts";
import { isFinerThanData, newsEveryMs } from "#domain/timeframe.ts";
import type { ScheduledDefinition } from "#ports/store.ts";
import type { EngineDependencies } from "./dependencies.ts";
import type { GroupHost } from "./group/group-host.ts";
import { dataAlert } from "./group/data-alert.ts";
import { newestBoundary, nextDue } from "./schedule.ts";

/** How often definitions are read again: the longest a new or changed one stays unnoticed. */
const REREAD_MS = 1_000;
/** How soon a simulated clock looks again whether the tick it waits for has closed. */
const LOCKSTEP_POLL_MS = 20;

/**
 * Proposes ticks at period boundaries. Every node does; the database lets one in per definition and
 * boundary. It keeps no plan of its own: each round starts from what is stored, so new, changed,
 * stopped and resumed strategies count at once.
 */
export class Scheduler {
  readonly #dependencies: EngineDependencies;
  readonly #groupOf: (definitionId: string) => Pick<GroupHost, "tell">;
  readonly #stopping = new AbortController();
  #nudge: () => void = () => undefined;
  #loop: Promise<void> | null = null;
  #startedAt = 0;
  readonly #paused = new Set<string>();
  /** When definitions that were paused were seen to go on, ms UTC. */
  readonly #resumedAt = new Map<string, number>();
  /** Definitions whose period was said to be shorter than their bars, with version; once per process. */
  readonly #said = new Set<string>();

  constructor(
    dependencies: EngineDependencies,
    groupOf: (definitionId: string) => Pick<GroupHost, "tell">,
  ) {
    this.#dependencies = dependencies;
    this.#groupOf = groupOf;
  }

  start(): void {
    this.#startedAt = this.#dependencies.clock.now();
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#nudge();
    await this.#loop;
  }

  /** Something changed: look again now (a tick closed, a strategy was created). */
  nudge(): void {
    this.#nudge();
  }

  async #run(): Promise<void> {
    const { logger, timer, watch } = this.#dependencies;
    while (!this.#stopping.signal.aborted) {
      try {
        await this.#round();
      } catch (error) {
        if (!watch.blames(error)) {
          logger.error({ error: errorMessage(error) }, "scheduling failed, trying again");
        }
        await timer.after(REREAD_MS, this.#stopping.signal);
      }
    }
  }

  async #round(): Promise<void> {
    const { clock, store } = this.#dependencies;
    if (clock.simulated) await this.#untilNoTickIsOpen();
    const scheduled = await store.scheduledDefinitions();
    for (const candidate of scheduled) this.#tellPause(candidate);
    // Ticks of other nodes, and of this machine before its clock was set back.
    for (const { lastScheduledFor } of scheduled) clock.observe(lastScheduledFor ?? 0);
    for (const { definition, members } of scheduled) {
      if (definition.isActive && members > 0) await this.#sayIfFiner(definition);
    }
    const dues = scheduled.flatMap((candidate) => {
      const newsMs = this.#newsMs(candidate.definition);
      const startedAt = this.#awayUntil(candidate);
      const due = nextDue(candidate, { now: clock.now(), startedAt }, newsMs);
      return due === null ? [] : [{ candidate, due }];
    });
    if (this.#stopping.signal.aborted) return;
    if (dues.length === 0) {
      await this.#pause(REREAD_MS);
      return;
    }
    const next = Math.min(...dues.map(({ due }) => due));
    if (!(await this.#sleepUntil(next))) return;
    const now = clock.now();
    const ripe = dues.filter(({ due }) => due <= now);
    // Should the clock have jumped meanwhile, the newest boundary is made up for and no other.
    await Promise.all(
      ripe.map(({ candidate }) => {
        const { definition } = candidate;
        return this.#propose(candidate, newestBoundary(definition, now, this.#newsMs(definition)));
      }),
    );
  }

  /** A group that is paused, or of an inactive definition, is shown so; the proposals decide. */
  #tellPause({ definition, isPaused }: ScheduledDefinition): void {
    const rests = isPaused || !definition.isActive;
    this.#groupOf(definition.id).tell({ type: rests ? "PAUSE" : "RESUME" });
    if (isPaused) this.#paused.add(definition.id);
    else if (this.#paused.delete(definition.id)) {
      this.#resumedAt.set(definition.id, this.#dependencies.clock.now());
    }
  }

  /** Boundaries before this instant passed while nobody was there, or during a pause. */
  #awayUntil({ definition }: ScheduledDefinition): number {
    return Math.max(this.#startedAt, this.#resumedAt.get(definition.id) ?? 0);
  }

  #newsMs({ symbols }: Definition): number {
    return newsEveryMs(symbols, this.#dependencies.feed) ?? 0;
  }

  async #sayIfFiner(definition: Definition): Promise<void> {
    const { feed, logger, store } = this.#dependencies;
    const key = `${definition.id}/${definition.version}`;
    if (this.#said.has(key) || !isFinerThanData(definition, feed)) return;
    const alert = dataAlert(definition, feed);
    logger.warn({ definition: definition.name }, alert.message);
    await store.raiseAlert(alert);
    this.#said.add(key);
  }

  async #propose({ definition }: ScheduledDefinition, scheduledFor: number): Promise<void> {
    const { clock, logger, queue, failpoint, store } = this.#dependencies;
    failpoint("tick.before-propose");
    // Simulated time waits: another node may have begun one since it was seen that none is open.
    const time = { waits: clock.simulated };
    const outcome = await store.proposeTick(definition.id, scheduledFor, time);
    failpoint("tick.after-propose");
    if (outcome === "proposed") queue.wake("ticks");
    if (outcome === "skipped") {
      this.#groupOf(definition.id).tell({ type: "TICK_SKIPPED" });
      logger.warn({ definition: definition.name, scheduledFor }, "tick skipped: one is under way");
    }
  }

  /** False when it is time to read again rather than to propose. */
  async #sleepUntil(instant: number): Promise<boolean> {
    const { clock } = this.#dependencies;
    if (clock.simulated) {
      const woken = new AbortController();
      const abort = (): void => woken.abort();
      this.#stopping.signal.addEventListener("abort", abort, { once: true });
      this.#nudge = abort;
      await clock.sleepUntil(instant, woken.signal);
      this.#stopping.signal.removeEventListener("abort", abort);
    } else if (instant > clock.now()) {
      await this.#pause(Math.min(instant - clock.now(), REREAD_MS));
    }
    return !this.#stopping.signal.aborted && clock.now() >= instant;
  }

  async #untilNoTickIsOpen(): Promise<void> {
    const { store } = this.#dependencies;
    while (!this.#stopping.signal.aborted && (await store.openTicks()).length > 0) {
      await this.#pause(LOCKSTEP_POLL_MS);
    }
  }

  async #pause(ms: number): Promise<void> {
    const woken = new AbortController();
    this.#nudge = () => woken.abort();
    if (this.#stopping.signal.aborted) return;
    await this.#dependencies.timer.after(ms, woken.signal);
  }
}
