import { randomUUID } from "node:crypto";
import pg from "pg";
import { inject } from "vitest";

export interface TestDatabase extends AsyncDisposable {
  url: string;
}

/**
 * A new database on the run's PostgreSQL server or another, empty or a copy of `template` (which
 * nobody may be connected to), dropped with all its connections at the end.
 */
export async function createPostgresDatabase(
  template?: string,
  serverUrl = inject("postgresUrl"),
): Promise<TestDatabase> {
  const name = `troupe_${randomUUID().replaceAll("-", "")}`;
  const source = template === undefined ? "" : ` template ${template}`;
  await runSql(serverUrl, `create database ${name}${source}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    [Symbol.asyncDispose]: () => runSql(serverUrl, `drop database if exists ${name} with (force)`),
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
