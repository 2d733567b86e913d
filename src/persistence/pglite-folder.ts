// PGlite takes every folder without a PG_VERSION for a new one and writes a whole database over it: what
// was there is gone without a word. So a new database is made beside and moved in when it is whole, and
// a folder that is neither empty nor a database is left alone.
import { constants } from "node:fs";
import { access, mkdir, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { DiskRoom, RoomyPglite } from "./disk-room.ts";
import { errorMessage, InvalidInputError } from "#domain/errors.ts";

/** Marks a first start under way; what is found beside it is of no worth without PG_VERSION. */
const FIRST_START = ".first-start";
const NEED = "it must be a folder this user may write to";
const MARK = "PG_VERSION";

export type PgliteFolder = "new" | "database";

/**
 * What the folder is to us; it need not exist.
 * @throws InvalidInputError INVALID_CONFIG when it is neither empty nor a database
 */
export async function lookAtFolder(folder: string): Promise<PgliteFolder> {
  const entries = await entriesOf(folder);
  if (entries.includes(MARK)) return "database";
  if (entries.length === 0 || entries.includes(FIRST_START)) return "new";
  const found = entries.slice(0, 3).join(", ");
  throw refused(
    folder,
    `it holds ${found} and no ${MARK}, so it is no whole database, and is not replaced; ` +
      "restore a backup of it, or move it away to begin anew",
  );
}

/** Opens the database in the folder, which is made if the folder is empty or does not exist. */
export async function openPgliteFolder(folder: string): Promise<RoomyPglite> {
  if ((await lookAtFolder(folder)) === "new") await makeDatabase(folder);
  await rm(join(folder, FIRST_START), { recursive: true, force: true });
  await assertWritable(folder);
  const room = new DiskRoom(folder);
  assertRoomToOpen(folder, room);
  try {
    const opened = new RoomyPglite(folder, room);
    await opened.waitReady;
    return opened;
  } catch (error) {
    throw refused(folder, `${errorMessage(error)}; restore a backup of it`, error);
  }
}

/** Crash window: until PG_VERSION is moved, which comes last, the next start begins again. */
async function makeDatabase(folder: string): Promise<void> {
  const draft = join(folder, FIRST_START);
  try {
    await mkdir(folder, { recursive: true });
    const leftovers = (await readdir(folder)).filter((entry) => entry !== FIRST_START);
    for (const entry of [...leftovers, FIRST_START]) {
      await rm(join(folder, entry), { recursive: true, force: true });
    }
    await mkdir(draft);
    const made = await PGlite.create({ dataDir: draft });
    await made.close();
    const entries = (await readdir(draft)).filter((entry) => entry !== MARK);
    for (const entry of [...entries, MARK]) await rename(join(draft, entry), join(folder, entry));
  } catch (error) {
    throw refused(folder, `no database can be made in it: ${errorMessage(error)}`, error);
  }
}

async function entriesOf(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw refused(folder, `${errorMessage(error)}; ${NEED}`, error);
  }
}

async function assertWritable(folder: string): Promise<void> {
  try {
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw refused(folder, `${errorMessage(error)}; ${NEED}`, error);
  }
}

/** Opening writes, too. */
function assertRoomToOpen(folder: string, room: DiskRoom): void {
  try {
    room.assertRoom();
  } catch (error) {
    throw refused(folder, `${errorMessage(error)}; make room`, error);
  }
}

function refused(folder: string, why: string, cause?: unknown): InvalidInputError {
  const message = `the embedded database ${folder} cannot be opened: ${why}`;
  return new InvalidInputError("INVALID_CONFIG", message, { cause });
}
