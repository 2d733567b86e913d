import type { Timer } from "#ports/clock.ts";
import type { Logger } from "#ports/logger.ts";
import type { StorageRoom } from "#ports/storage-room.ts";
import type { NewAlert } from "#ports/store.ts";
import type { Database } from "./database.ts";
import { raiseAlerts } from "./repositories/alerts.repository.ts";

const LOOK_MS = 1_000;

interface RoomWatchDependencies {
  database: Database;
  room: StorageRoom;
  logger: Logger;
  timer: Timer;
}

/** Tells of a disk that is almost full once, at its begin and at its end. */
export class RoomWatch implements StorageRoom, AsyncDisposable {
  readonly #dependencies: RoomWatchDependencies;
  readonly #closing = new AbortController();
  readonly #looking: Promise<void>;
  /** The shortage that goes on, and whether its alert is stored. */
  #short: { reason: string; isStored: boolean } | null = null;

  constructor(dependencies: RoomWatchDependencies) {
    this.#dependencies = dependencies;
    this.#looking = this.#watch();
  }

  /** As it is now, not as it was at the last look. */
  get shortage(): string | null {
    return this.#dependencies.room.shortage;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await this.#looking;
  }

  async #watch(): Promise<void> {
    const { timer } = this.#dependencies;
    while (!this.#closing.signal.aborted) {
      await this.#look();
      await timer.after(LOOK_MS, this.#closing.signal);
    }
  }

  async #look(): Promise<void> {
    const { logger } = this.#dependencies;
    const reason = this.shortage;
    if (reason !== null && this.#short === null) {
      this.#short = { reason, isStored: false };
      logger.error({ reason }, "the disk is almost full; no new ticks until there is room");
    }
    const short = this.#short;
    if (short === null) return;
    if (!short.isStored) short.isStored = await this.#store(short.reason);
    if (reason !== null || !short.isStored) return;
    this.#short = null;
    logger.warn({ reason: short.reason }, "the disk has room again; ticks go on");
  }

  /** False where even that finds no room; then it is tried again. */
  async #store(reason: string): Promise<boolean> {
    try {
      await raiseAlerts(this.#dependencies.database.sql, [alertOf(reason)]);
      return true;
    } catch {
      return false;
    }
  }
}

function alertOf(reason: string): NewAlert {
  return {
    kind: "disk_almost_full",
    severity: "error",
    subject: "disk",
    strategyId: null,
    message: `no new ticks were begun: ${reason}`,
    detail: { reason },
  };
}
