// A seeded database of each kind, and any number of copies of it: every run starts from the same rows,
// ids included, so that their histories can be compared row for row.
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import pg from "pg";
import { expect, vi } from "vitest";
import type { Query } from "#support/invariants.ts";
import { createPostgresDatabase } from "#support/databases.ts";
import { runToEnd } from "./engine-run.ts";

/** A database that processes are started on. */
export interface CrashStore extends AsyncDisposable {
  kind: StoreKind;
  /** What a process needs in its environment to open it. */
  environment: Readonly<Record<string, string>>;
  /** Resolves when nothing of a killed process is under way in it any more. */
  settled(): Promise<void>;
  /** Reads it while no process has it open. */
  inspect<T>(read: (query: Query) => Promise<T>): Promise<T>;
}

export interface CrashTemplate extends AsyncDisposable {
  copy(): Promise<CrashStore>;
}

export type StoreKind = "pglite" | "postgres";

/** Seeds a database with the demo's cast, and hard cases if told to; on another server if told. */
export async function seededTemplate(
  kind: StoreKind,
  { serverUrl, ...orders }: { shardSize: number; hardCases?: boolean; serverUrl?: string },
): Promise<CrashTemplate> {
  const store = kind === "pglite" ? await pgliteStore() : await postgresStore({ serverUrl });
  const run = await runToEnd({ mode: "seed", ...orders }, store.environment);
  const created = orders.hardCases === true ? 16 : 12;
  expect(run.reports).toEqual([{ event: "seeded", created }]);
  return {
    copy: () => store.copy(),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

/** A database with nothing in it, not even tables. */
export function emptyStore(kind: StoreKind): Promise<CrashStore> {
  return kind === "pglite" ? pgliteStore() : postgresStore({ serverUrl: undefined });
}

async function pgliteStore(from?: string): Promise<CrashStore & CrashTemplate> {
  const folder = await mkdtemp(join(tmpdir(), "troupe-crash-"));
  if (from !== undefined) await cp(from, folder, { recursive: true });
  return {
    kind: "pglite",
    environment: { TROUPE_DATA_DIR: folder },
    settled: async () => undefined,
    inspect: (read) => inspectPglite(folder, read),
    copy: () => pgliteStore(folder),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

async function inspectPglite<T>(folder: string, read: (query: Query) => Promise<T>): Promise<T> {
  const client = await PGlite.create(join(folder, "pglite"));
  try {
    return await read(async (statement, params = []) => {
      const { rows } = await client.query<Record<string, unknown>>(statement, [...params]);
      return rows;
    });
  } finally {
    await client.close();
  }
}

async function postgresStore(from: {
  template?: string;
  serverUrl: string | undefined;
}): Promise<CrashStore & CrashTemplate> {
  const { serverUrl, template } = from;
  const database = await createPostgresDatabase(template, serverUrl);
  return {
    kind: "postgres",
    environment: { DATABASE_URL: database.url },
    settled: () => settledPostgres(database.url),
    inspect: (read) => withClient(database.url, read),
    copy: () => postgresStore({ serverUrl, template: new URL(database.url).pathname.slice(1) }),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
}

async function settledPostgres(url: string): Promise<void> {
  const isSettled = async () => expect(await otherConnections(url)).toBe(0);
  await vi.waitFor(isSettled, { timeout: 20_000, interval: 20 });
}

// A server process notices the death of its client only when it next writes to it: until then, what
// that client had last sent may still commit.
async function otherConnections(url: string): Promise<number> {
  return withClient(url, async (query) => {
    const [row] = await query(
      `select count(*)::int as n from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid()
         and backend_type = 'client backend'`,
    );
    return Number(row?.["n"]);
  });
}

async function withClient<T>(url: string, work: (query: Query) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(async (statement, params = []) => {
      const { rows } = await client.query<Record<string, unknown>>(statement, [...params]);
      return rows;
    });
  } finally {
    await client.end();
  }
}

/** For tests that look into a PostgreSQL database which processes have open. */
export function liveQuery(store: CrashStore): Query {
  const url = store.environment["DATABASE_URL"];
  if (url === undefined) throw new Error("only PostgreSQL can be looked at from beside");
  return (statement, params) => withClient(url, (query) => query(statement, params));
}
