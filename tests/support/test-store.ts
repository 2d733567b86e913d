import { createHash, randomUUID } from "node:crypto";
import { openAsBlob } from "node:fs";
import { readdir, readFile, rename, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { inject } from "vitest";
import { type Database, openDatabase } from "#persistence/database.ts";
import { migrate } from "#persistence/migrations.ts";

export type StoreKind = Database["kind"];
export const storeKinds: readonly StoreKind[] = ["pglite", "postgres"];

export interface TestStore extends AsyncDisposable {
  readonly database: Database;
  /** Texts of the statements run since the last `clear`. */
  readonly statements: string[];
  /** Where a second process would connect; null on PGlite, which has no second process. */
  readonly url: string | null;
}

/**
 * A migrated, empty database of its own. The migration runs once: PostgreSQL clones a template,
 * PGlite loads a dump that is kept in the temporary folder for later runs.
 */
export async function openTestStore(kind: StoreKind): Promise<TestStore> {
  const statements: string[] = [];
  const onStatement = (text: string) => void statements.push(text);
  if (kind === "pglite") {
    const loadDataDir = await openAsBlob(await pgliteDump());
    const options = { kind, dataDir: "memory://", loadDataDir, onStatement } as const;
    const database = await openDatabase(options);
    return { database, statements, url: null, [Symbol.asyncDispose]: () => database.close() };
  }
  const { url, drop } = await clonePostgres();
  const database = await openDatabase({ kind, url, onStatement });
  return {
    database,
    statements,
    url,
    async [Symbol.asyncDispose]() {
      await database.close();
      await drop();
    },
  };
}

/** Changes whenever the migrated schema may have. */
async function schemaVersion(): Promise<string> {
  const folder = new URL("../../migrations/", import.meta.url);
  const files = (await readdir(folder)).filter((name) => name.endsWith(".ts")).toSorted();
  const hash = createHash("sha256");
  for (const file of files) hash.update(await readFile(new URL(file, folder)));
  return hash.digest("hex").slice(0, 16);
}

async function pgliteDump(): Promise<string> {
  const path = join(tmpdir(), `troupe-pglite-0.5.8-${await schemaVersion()}.tar`);
  const exists = await readFile(path).then(
    () => true,
    () => false,
  );
  if (exists) return path;
  const database = await openDatabase({ kind: "pglite", dataDir: "memory://" });
  await migrate(database);
  const dump = await database.pglite?.dumpDataDir("none");
  if (dump === undefined) throw new Error("no dump of the embedded database");
  // Written beside and renamed: two workers may do this at once, and both end with a whole file.
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, Buffer.from(await dump.arrayBuffer()));
  await rename(draft, path);
  await database.close();
  return path;
}

async function clonePostgres(): Promise<{ url: string; drop: () => Promise<void> }> {
  const template = `troupe_template_${await schemaVersion()}`;
  const name = `troupe_${randomUUID().replaceAll("-", "")}`;
  await withServer(async (server) => {
    await server.query("select pg_advisory_lock(7420002)");
    const { rowCount } = await server.query("select from pg_database where datname = $1", [
      template,
    ]);
    if (rowCount === 0) await makeTemplate(server, template);
    await server.query(`create database ${name} template ${template}`);
  });
  return {
    url: urlOf(name),
    drop: () =>
      withServer((server) => server.query(`drop database if exists ${name} with (force)`)),
  };
}

async function makeTemplate(server: pg.Client, template: string): Promise<void> {
  const draft = `${template}_draft`;
  await server.query(`drop database if exists ${draft} with (force)`);
  await server.query(`create database ${draft}`);
  const database = await openDatabase({ kind: "postgres", url: urlOf(draft) });
  await migrate(database);
  await database.close();
  await server.query(`alter database ${draft} rename to ${template}`);
}

async function withServer(work: (server: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client({ connectionString: inject("postgresUrl") });
  await client.connect();
  try {
    await work(client);
  } finally {
    await client.end();
  }
}

function urlOf(name: string): string {
  const url = new URL(inject("postgresUrl"));
  url.pathname = `/${name}`;
  return url.href;
}
