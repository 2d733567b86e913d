import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { startPostgres } from "#support/embedded-postgres.ts";
import { openDatabase, type Database } from "#persistence/database.ts";
import { connectPglite, connectPostgres, type RawConnection } from "./raw-writes.ts";
import type { Place } from "./stage.ts";

const CONNECTIONS = 10;
/** As `docs/operations.md` recommends; all else, the wait for the disk too, as the server comes. */
const SETTINGS = { shared_buffers: "1GB", max_wal_size: "8GB" };

/** A server, or a folder, that makes databases for the bench. */
export interface Databases extends AsyncDisposable {
  /** Process id of the PostgreSQL server, null for PGlite, which lives in this process. */
  postmaster: number | null;
  create(name: string): Promise<Place>;
  /** An independent copy; nobody may have the original open. */
  clone(place: Place, name: string): Promise<Place>;
  /** An independent copy, in memory if it is PGlite's, opened for the scenarios that only write. */
  copy(place: Place, name: string): Promise<DatabaseCopy>;
}

export interface DatabaseCopy extends AsyncDisposable {
  database: Database;
  connections: RawConnection[];
}

export function startDatabases(kind: Place["kind"]): Promise<Databases> {
  return kind === "postgres" ? startServer() : startFolder();
}

async function startServer(): Promise<Databases> {
  const server = await startPostgres({ settings: SETTINGS });
  const urlOf = (name: string): string =>
    Object.assign(new URL(server.url), { pathname: name }).href;
  const clone = async (place: Place, name: string): Promise<{ kind: "postgres"; url: string }> => {
    if (place.kind !== "postgres") throw new Error("expected a database of this server");
    const original = new URL(place.url).pathname.slice(1);
    await runSql(server.url, `create database ${name} template ${original}`);
    return { kind: "postgres", url: urlOf(name) };
  };
  return {
    postmaster: await server.pid(),
    async create(name) {
      await runSql(server.url, `create database ${name}`);
      return { kind: "postgres", url: urlOf(name) };
    },
    clone,
    async copy(place, name) {
      const { url } = await clone(place, name);
      const database = await openDatabase({ kind: "postgres", url, poolMax: CONNECTIONS });
      const connections = await Promise.all(
        Array.from({ length: CONNECTIONS }, () => connectPostgres(url)),
      );
      const close = async (): Promise<void> => {
        await Promise.all(connections.map((connection) => connection.close()));
        await database.close();
      };
      return { database, connections, [Symbol.asyncDispose]: close };
    },
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

async function startFolder(): Promise<Databases> {
  const root = await mkdtemp(join(tmpdir(), "troupe-bench-"));
  return {
    postmaster: null,
    create: (name) => Promise.resolve({ kind: "pglite", folder: join(root, name) }),
    async clone(place, name) {
      if (place.kind !== "pglite") throw new Error("expected a folder of PGlite");
      await cp(place.folder, join(root, name), { recursive: true });
      return { kind: "pglite", folder: join(root, name) };
    },
    async copy(place) {
      if (place.kind !== "pglite") throw new Error("expected a folder of PGlite");
      const dataDir = join(place.folder, "pglite");
      const original = await openDatabase({ kind: "pglite", dataDir });
      const loadDataDir = await original.pglite?.dumpDataDir("none");
      await original.close();
      if (loadDataDir === undefined) throw new Error("expected PGlite");
      const database = await openDatabase({ kind: "pglite", dataDir: "memory://", loadDataDir });
      const connections = database.pglite === undefined ? [] : [connectPglite(database.pglite)];
      return { database, connections, [Symbol.asyncDispose]: () => database.close() };
    },
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  };
}

async function runSql(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
