import { statfsSync } from "node:fs";
import type { StorageRoom } from "#ports/storage-room.ts";
import { PGlite, type ParserOptions, type QueryOptions } from "@electric-sql/pglite";

const MB = 1_000_000;
/**
 * Below this the embedded database is given no more writes. It allocates its log in pieces of 16 MB
 * and, when there is no room for the next piece, never returns: the whole process would hang with it.
 */
const LEAST_MB = 20;
/** Below this no new work is begun, so that what is under way has room to end. */
const RESERVE_MB = 28;

/** How full the disk is that a folder lies on. */
export class DiskRoom implements StorageRoom {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Why no new work should be begun, in words; null when there is room. */
  get shortage(): string | null {
    const free = this.#freeMb();
    if (free >= RESERVE_MB) return null;
    return `${free.toFixed(1)} MB are free on the disk of ${this.#folder}, ${RESERVE_MB} MB are kept free; make room`;
  }

  /** @throws NoRoomError */
  assertRoom(): void {
    const free = this.#freeMb();
    if (free < LEAST_MB) throw new NoRoomError(this.#folder, free);
  }

  #freeMb(): number {
    const { bavail, bsize } = statfsSync(this.#folder);
    return (bavail * bsize) / MB;
  }
}

/** As the database itself reports a full disk. */
class NoRoomError extends Error {
  readonly code = "53100";

  constructor(folder: string, freeMb: number) {
    super(
      `No space left on device: ${freeMb.toFixed(1)} MB are free on the disk of ${folder}, ` +
        `the embedded database writes with ${LEAST_MB} MB or more`,
    );
  }
}

const READ = /^\s*(select|show|listen|unlisten)\b/i;
/** Reads that write all the same, and texts of more than one statement. */
const WRITES = /\bfor\s+(no\s+key\s+)?(update|share)\b|pg_notify|nextval|setval|;\s*\S/i;

/** A PGlite that writes only where there is room for it; reads go on. */
export class RoomyPglite extends PGlite {
  readonly room: DiskRoom;

  constructor(folder: string, room: DiskRoom) {
    super({ dataDir: folder });
    this.room = room;
  }

  override async query<T>(query: string, params?: unknown[], options?: QueryOptions) {
    this.#check(query);
    return super.query<T>(query, params, options);
  }

  override async exec(query: string, options?: QueryOptions & ParserOptions) {
    this.#check(query);
    return super.exec(query, options);
  }

  #check(query: string): void {
    if (!READ.test(query) || WRITES.test(query)) this.room.assertRoom();
  }
}
