import { fileURLToPath } from "node:url";
import { PGlite } from "@electric-sql/pglite";
import type { MikroORM } from "@mikro-orm/core";
import { Migrator } from "@mikro-orm/migrations";
import { MikroORM as PgliteOrm } from "@mikro-orm/pglite";
import {
  type AbstractSqlDriver,
  MikroORM as PostgresOrm,
  type SqlEntityManager,
} from "@mikro-orm/postgresql";
import type { Kysely } from "kysely";
import type { Pool } from "pg";
import { type StorageRoom, unlimitedRoom } from "#ports/storage-room.ts";
import { readDatabaseAddress } from "#domain/database-address.ts";
import { entities } from "#entities/index.ts";
import { migrations } from "../../migrations/index.ts";
import { RoomyPglite } from "./disk-room.ts";
import { fromDriver, fromOrm } from "./errors.ts";
import { refuseUnstorable } from "./unstorable.ts";
import { NamedStatementClient } from "./named-statement-client.ts";
import { idleTimeoutSocket } from "./idle-timeout-socket.ts";
import { NamingStrategy } from "./naming.ts";
import { openPgliteFolder } from "./pglite-folder.ts";
import { PoolSessions } from "./pool-sessions.ts";
import {
  connectionTo,
  type PostgresConnection,
  queueSchemaOf,
  schemaOf,
} from "./postgres-connection.ts";
import { type OnStatement, type Sql, type SqlTransaction, sqlOf, sqlOfTransaction } from "./sql.ts";

export interface PostgresOptions {
  kind: "postgres";
  url: string;
  /** Most connections of this process; 10 unless told. */
  poolMax?: number;
  /** After so long without an answer a connection is taken for dead; 30 s unless told. */
  silenceMs?: number;
  /** How long a transaction may stand still before the server ends it; 10 unless told. */
  heartbeatSeconds?: number;
}

export interface PgliteOptions {
  kind: "pglite";
  /** A folder that no other process has open, or `memory://`. */
  dataDir: string;
  /** A dump of another PGlite to start from instead of an empty database. */
  loadDataDir?: Blob | File;
}

export type DatabaseOptions = (PostgresOptions | PgliteOptions) & {
  /** Sees the text of every statement of the stores, for tests and tracing. */
  onStatement?: OnStatement;
};

export type Orm = MikroORM<AbstractSqlDriver>;

/** One open database, PostgreSQL or PGlite: the stores are the same on both. */
export interface Database extends AsyncDisposable {
  readonly kind: "postgres" | "pglite";
  readonly orm: Orm;
  /** Statements outside any transaction. */
  readonly sql: Sql;
  /** The embedded database itself, for the queue adapter. */
  readonly pglite?: PGlite;
  /** How every connection to PostgreSQL is made, for those who make their own. */
  readonly connection?: PostgresConnection;
  /** Of the tables: what unqualified names mean. */
  readonly schema: string;
  /** Of the queue's tables, of which each installation in a database has its own. */
  readonly queueSchema: string;
  readonly room: StorageRoom;
  /** Gives up all sessions, those at work at their end: what new ones may do is asked anew. */
  renewSessions(): void;
  /** For work that may take the server long, such as a migration: silence is no sign of death. */
  patiently<T>(work: () => Promise<T>): Promise<T>;
  /** An entity manager of its own; never share one between requests. */
  em(): SqlEntityManager;
  /** Reads entities outside any transaction; what `work` changes about them is not stored. */
  read<T>(work: (em: SqlEntityManager) => Promise<T>): Promise<T>;
  /**
   * Runs `work` in one transaction and commits it, or rolls back when it throws. On PGlite
   * transactions wait for each other: never await anything but statements inside.
   */
  transactional<T>(work: (transaction: OpenTransaction) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/** One transaction for statements, entities and, through `transaction`, messages of the work queue. */
export interface OpenTransaction extends SqlTransaction {
  /**
   * Made when first asked for. What was changed about its entities and not flushed yet is written
   * when `work` is done, before the commit.
   */
  readonly em: SqlEntityManager;
}

const SILENCE_MS = 30_000;

const migrationsFolder = fileURLToPath(new URL("../../migrations", import.meta.url));

const shared = {
  entities,
  namingStrategy: NamingStrategy,
  extensions: [Migrator],
  // Entities are listed, so nothing is looked for, reflected on or cached on disk.
  metadataCache: { enabled: false },
  discovery: { checkDuplicateTableNames: true },
  schemaGenerator: { ignoreSchema: ["pgboss"] },
  migrations: {
    migrationsList: migrations,
    path: migrationsFolder,
    pathTs: migrationsFolder,
    snapshotName: ".snapshot",
    // Only the author of a migration writes the snapshot, never a server that runs it.
    snapshotOnMigrate: false,
    tableName: "schema_migrations",
    transactional: true,
    allOrNothing: true,
    silent: true,
  },
};

/**
 * Opens the database; it neither migrates nor locks the data folder.
 * @throws DomainError PORT_UNAVAILABLE, INVALID_CONFIG
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const onQuery = onQueryOf(options);
  const opened =
    options.kind === "postgres"
      ? await openPostgres(options, onQuery)
      : await openPglite(options, onQuery);
  const { orm, pglite } = opened;
  const connection = orm.driver.getConnection();
  const em = () => orm.em.fork();
  const close = async () => {
    await orm.close(true);
    if (pglite !== undefined && !pglite.closed) await pglite.close();
  };
  return {
    kind: options.kind,
    ...opened,
    sql: sqlOf(() => connection.getClient(), options.onStatement),
    em,
    async read(work) {
      try {
        return await work(em());
      } catch (error) {
        throw fromOrm(error);
      }
    },
    async transactional(work) {
      // Here, for PGlite's dialect would wait for ever for a transaction that does not begin.
      if (pglite instanceof RoomyPglite) assertRoom(pglite);
      return runTransaction(connection.getClient(), work, (transaction) =>
        openTransaction(transaction, em, options.onStatement),
      );
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

type OnQuery = (statement: string, params: readonly unknown[]) => string;

function onQueryOf({ onStatement }: DatabaseOptions): OnQuery {
  return (statement, params) => {
    onStatement?.(statement);
    refuseUnstorable(params);
    return statement;
  };
}

/** What the two kinds of database do not share. */
type Opened = Pick<
  Database,
  | "orm"
  | "pglite"
  | "connection"
  | "schema"
  | "queueSchema"
  | "room"
  | "renewSessions"
  | "patiently"
>;

function assertRoom({ room }: RoomyPglite): void {
  try {
    room.assertRoom();
  } catch (error) {
    throw fromDriver(error);
  }
}

async function openPostgres(options: PostgresOptions, onQuery: OnQuery): Promise<Opened> {
  const { url, poolMax = 10, silenceMs = SILENCE_MS } = options;
  const address = readDatabaseAddress(url);
  let patient = 0;
  const openSocket = () => idleTimeoutSocket(silenceMs, () => patient > 0);
  const connection = connectionTo(address, openSocket);
  const schema = await schemaOf(connection, address.schema);
  const queueSchema = queueSchemaOf(schema);
  const sessions = new PoolSessions();
  const orm = await PostgresOrm.init({
    ...shared,
    onQuery,
    schema,
    dbName: address.database,
    pool: { min: 0, max: poolMax },
    driverOptions: {
      ...connection,
      Client: NamedStatementClient,
      // A node frozen inside a transaction must not keep its shard's row from the others.
      idle_in_transaction_session_timeout: (options.heartbeatSeconds ?? 10) * 1_000,
      onPoolCreated: (pool: Pool) => sessions.watch(pool),
    },
  });
  return {
    orm,
    connection,
    schema,
    queueSchema,
    room: unlimitedRoom,
    renewSessions: () => sessions.renew(),
    async patiently(work) {
      patient += 1;
      try {
        return await work();
      } finally {
        patient -= 1;
      }
    },
  };
}

async function openPglite(
  { dataDir, loadDataDir }: PgliteOptions,
  onQuery: OnQuery,
): Promise<Opened> {
  const isFolder = loadDataDir === undefined && !dataDir.startsWith("memory://");
  const loaded = loadDataDir === undefined ? {} : { loadDataDir };
  const pglite = isFolder
    ? await openPgliteFolder(dataDir)
    : await PGlite.create({ dataDir, ...loaded });
  // In a function, for the ORM copies its options and a running database cannot be copied.
  const driverOptions = { pglite: () => pglite };
  const orm = await PgliteOrm.init({ ...shared, onQuery, dbName: "postgres", driverOptions });
  return {
    orm,
    pglite,
    schema: "public",
    queueSchema: queueSchemaOf("public"),
    room: pglite instanceof RoomyPglite ? pglite.room : unlimitedRoom,
    renewSessions: () => undefined,
    patiently: (work) => work(),
  };
}

/** The parts of one transaction; `flush` writes what is left to write of its entities. */
function openTransaction(
  transaction: Kysely<unknown>,
  fork: () => SqlEntityManager,
  onStatement: OnStatement | undefined,
): { open: OpenTransaction; flush: () => Promise<void> } {
  let em: SqlEntityManager | undefined;
  const open = {
    ...sqlOfTransaction(transaction, onStatement),
    get em() {
      if (em === undefined) {
        em = fork();
        em.setTransactionContext(transaction);
      }
      return em;
    },
  };
  return { open, flush: async () => em?.flush() };
}

/**
 * Kysely's own transaction, not MikroORM's: that one keeps the connection for ever when it cannot be
 * rolled back because it is lost, and after ten of them there would be none left. An entity manager
 * that is given the transaction runs its statements in it and neither begins nor commits.
 */
async function runTransaction<T>(
  kysely: Kysely<unknown>,
  work: (transaction: OpenTransaction) => Promise<T>,
  openIn: (transaction: Kysely<unknown>) => ReturnType<typeof openTransaction>,
): Promise<T> {
  const refused: { error?: unknown } = {};
  try {
    return await kysely.transaction().execute(async (transaction) => {
      try {
        const { open, flush } = openIn(transaction);
        const result = await work(open);
        await flush();
        return result;
      } catch (error) {
        refused.error = fromOrm(error);
        throw error;
      }
    });
  } catch (error) {
    // The work's own error is already what it should be; else begin or commit failed.
    if ("error" in refused) throw refused.error;
    throw fromDriver(error);
  }
}
