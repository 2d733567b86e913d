import { PGlite } from "@electric-sql/pglite";
import { MikroORM as PgliteOrm } from "@mikro-orm/pglite";
import { MikroORM as PostgresOrm } from "@mikro-orm/postgresql";
import type { QueueDatabase } from "#adapters/pg-boss-queue.ts";
import type { Transaction } from "#ports/work-queue.ts";
import { createPostgresDatabase } from "./databases.ts";

/** A database as the work queue needs one: its own way in, and the store's transactions. */
export interface QueueTestDatabase extends AsyncDisposable {
  database: QueueDatabase;
  /** Commits when `work` resolves, else rolls back, as persistence does. */
  transaction<T>(work: (transaction: Transaction, sql: Sql) => Promise<T>): Promise<T>;
  sql: Sql;
}

type Sql = (
  statement: string,
  parameters?: readonly string[],
) => Promise<Record<string, unknown>[]>;

/** What the entity managers of both drivers have in common, as far as it is used here. */
interface EntityManager {
  fork(): EntityManager;
  execute(statement: string, parameters: unknown[]): Promise<Record<string, unknown>[]>;
  transactional<T>(work: (em: EntityManager) => Promise<T>): Promise<T>;
  getTransactionContext(): object | undefined;
}

const withoutEntities = { entities: [], discovery: { warnWhenNoEntities: false } };

export async function postgresQueueDatabase(): Promise<QueueTestDatabase> {
  const { url, [Symbol.asyncDispose]: drop } = await createPostgresDatabase();
  const orm = await PostgresOrm.init({ clientUrl: url, ...withoutEntities });
  return {
    database: { kind: "postgres", connection: { connectionString: url } },
    ...storeOf(orm.em),
    async [Symbol.asyncDispose]() {
      await orm.close();
      await drop();
    },
  };
}

export async function pgliteQueueDatabase(): Promise<QueueTestDatabase> {
  const client = await PGlite.create("memory://");
  const orm = await PgliteOrm.init({ driverOptions: { pglite: client }, ...withoutEntities });
  return {
    database: { kind: "pglite", client },
    ...storeOf(orm.em),
    async [Symbol.asyncDispose]() {
      await orm.close();
      await client.close();
    },
  };
}

function storeOf(em: EntityManager): Pick<QueueTestDatabase, "transaction" | "sql"> {
  const sqlOf =
    (manager: EntityManager): Sql =>
    (statement, parameters = []) =>
      manager.execute(statement, [...parameters]);
  return {
    sql: sqlOf(em.fork()),
    transaction: (work) =>
      em.fork().transactional((manager) => work(toTransaction(manager), sqlOf(manager))),
  };
}

function toTransaction(em: EntityManager): Transaction {
  // The brand's one way in: nobody but persistence and the queue look inside.
  return em.getTransactionContext() as unknown as Transaction;
}
