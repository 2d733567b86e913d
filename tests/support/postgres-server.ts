import type { TestProject } from "vitest/node";
import { startPostgres } from "./embedded-postgres.ts";

declare module "vitest" {
  interface ProvidedContext {
    /** Superuser access to the run's PostgreSQL server, database "postgres". */
    postgresUrl: string;
  }
}

// Each project loads this file anew but in one process, one after another: the variable is what
// lets the second project find the server of the first.
const sharedUrl = "TROUPE_TEST_POSTGRES_URL";

/** One PostgreSQL for the whole run: the server of `DATABASE_URL`, or one started here. */
export default async function setup(project: TestProject) {
  const existing = process.env["DATABASE_URL"] ?? process.env[sharedUrl];
  if (existing !== undefined) {
    project.provide("postgresUrl", existing);
    return;
  }
  const server = await startPostgres();
  process.env[sharedUrl] = server.url;
  project.provide("postgresUrl", server.url);
  return async () => {
    delete process.env[sharedUrl];
    await server.stop();
  };
}
