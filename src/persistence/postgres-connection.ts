// The one way from a database address to the driver's options: the ORM, the queue and the claim desk
// all connect by what is made here.
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { checkServerIdentity, type ConnectionOptions } from "node:tls";
import { Client } from "pg";
import {
  assertPlainSchema,
  type DatabaseAddress,
  type TlsFiles,
} from "#domain/database-address.ts";
import { DomainError, errorMessage, InvalidInputError } from "#domain/errors.ts";
import { databaseFault, fromDriver } from "./errors.ts";

/** What the driver takes, of every connection of one database. */
export interface PostgresConnection {
  host: string;
  port: number;
  user: string;
  database: string;
  password?: string;
  options?: string;
  ssl?: ConnectionOptions | false;
  sslnegotiation?: "direct";
  application_name: string;
  connectionTimeoutMillis: number;
  keepAlive: boolean;
  stream: () => Socket;
}

/** @throws InvalidInputError INVALID_CONFIG for a certificate that cannot be read */
export function connectionTo(
  address: DatabaseAddress,
  openSocket: () => Socket,
): PostgresConnection {
  const { host, port, user, password, database, options, tls } = address;
  return {
    host,
    port,
    user,
    database,
    ...(password === null ? {} : { password }),
    ...(options === null ? {} : { options }),
    // Without a word, the driver goes by PGSSLMODE; given one, it never goes on in clear text.
    ...(tls === null ? {} : { ssl: tlsOptions(address) }),
    ...(address.tlsDirect ? { sslnegotiation: "direct" } : {}),
    application_name: address.applicationName,
    connectionTimeoutMillis: address.connectTimeoutMs,
    keepAlive: true,
    stream: openSocket,
  };
}

function tlsOptions({ host, tls, tlsFiles }: DatabaseAddress): ConnectionOptions | false {
  if (tls === "disable") return false;
  return {
    ...filesOf(tlsFiles),
    rejectUnauthorized: tls !== "require",
    // By the host of the address: Node itself would compare an IP address with "localhost".
    checkServerIdentity: (_host, certificate) =>
      tls === "verify-full" ? checkServerIdentity(host, certificate) : undefined,
  };
}

function filesOf({ certificate, key, rootCertificate }: TlsFiles): ConnectionOptions {
  const isOwnRoot = rootCertificate !== null && rootCertificate !== "system";
  return {
    ...(isOwnRoot ? { ca: readPem("sslrootcert", rootCertificate) } : {}),
    ...(certificate === null ? {} : { cert: readPem("sslcert", certificate) }),
    ...(key === null ? {} : { key: readPem("sslkey", key) }),
  };
}

function readPem(parameter: string, path: string): string {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw refused(`${parameter}: ${errorMessage(error)}`, error);
  }
  if (text.includes("-----BEGIN")) return text;
  throw refused(`${parameter}: expected a PEM file, was none: ${path}`);
}

/**
 * The schema that unqualified names mean on these connections. One that the address names is made if
 * it is missing; of a search path the server itself must know one.
 * @throws DomainError PORT_UNAVAILABLE in the server's words, InvalidInputError INVALID_CONFIG
 */
export async function schemaOf(
  connection: PostgresConnection,
  named: string | null,
): Promise<string> {
  const client = new Client(connection);
  // A connection that breaks between statements says so here, and again at the next statement.
  client.on("error", () => undefined);
  try {
    await client.connect();
    const current = async () => {
      const answer = await client.query<{ schema: string | null }>(
        "select current_schema() as schema",
      );
      return answer.rows[0]?.schema ?? null;
    };
    const found = await current();
    if (found !== null) return found;
    if (named !== null) await client.query(`create schema if not exists "${named}"`);
    return assertSchema(await current());
  } catch (error) {
    throw inWords(error, connection);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function inWords(error: unknown, { ssl }: PostgresConnection): DomainError {
  const known = fromDriver(error);
  if (ssl === undefined || ssl === false || databaseFault(error) !== null) return known;
  const { code, details, message } = known;
  const why = "DATABASE_URL asks for TLS, so nothing is sent in clear text";
  return new DomainError(code, `${message}; ${why}`, { cause: error, details });
}

function assertSchema(schema: string | null): string {
  if (schema !== null) return schema;
  throw refused(
    "the search path names no schema that exists and that this user may use; create it, " +
      "or say schema=… and it is created",
  );
}

/** Named after that of the tables, so that installations which share a database share no queue. */
export function queueSchemaOf(schema: string): string {
  assertPlainSchema(schema);
  return schema === "public" ? "pgboss" : `pgboss_${schema}`;
}

function refused(message: string, cause?: unknown): InvalidInputError {
  return new InvalidInputError("INVALID_CONFIG", `DATABASE_URL: ${message}`, { cause });
}
