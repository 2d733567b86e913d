import { InvalidInputError } from "./errors.ts";

export type TlsMode = "disable" | "require" | "verify-ca" | "verify-full";

/** Paths of PEM files. */
export interface TlsFiles {
  rootCertificate: string | null;
  certificate: string | null;
  key: string | null;
}

/** Where a PostgreSQL is and how to talk to it: what every connection of this process goes by. */
export interface DatabaseAddress {
  /** A name, an IP address, or the folder of a Unix socket. */
  host: string;
  port: number;
  user: string;
  /** Null: from PGPASSWORD or the password file, as every program of PostgreSQL has it. */
  password: string | null;
  database: string;
  /** Null: nothing was said. */
  tls: TlsMode | null;
  tlsFiles: TlsFiles;
  /** TLS from the first byte, without asking in clear text first. */
  tlsDirect: boolean;
  /** Settings of the session, as the server's command line takes them; null: none. */
  options: string | null;
  /** The schema that `schema` names, to be created where it does not exist. */
  schema: string | null;
  applicationName: string;
  connectTimeoutMs: number;
}

const FORM = "postgres://user@host:port/database";
const PORT = 5432;
const NO_HOST = ".none";
const CONNECT_TIMEOUT_S = 10;
const TLS_MODES: readonly string[] = ["disable", "require", "verify-ca", "verify-full"];
/** The queue's schema has this name in its own, and takes no more than 50 bytes. */
const PLAIN_SCHEMA = /^[a-z_][a-z0-9_]{0,42}$/;

const PARAMETERS = [
  "application_name",
  "channel_binding",
  "connect_timeout",
  "host",
  "options",
  "schema",
  "search_path",
  "ssl",
  "sslcert",
  "sslkey",
  "sslmode",
  "sslnegotiation",
  "sslrootcert",
] as const;
type Parameters = Partial<Record<(typeof PARAMETERS)[number], string>>;

/**
 * Reads a connection URL. What it asks for is honoured on every connection, or refused by name: a
 * parameter passed over in silence could mean clear text, or another schema's tables.
 * @throws InvalidInputError INVALID_CONFIG; the message never quotes the URL, which may hold a password
 */
export function readDatabaseAddress(text: string): DatabaseAddress {
  const url = urlOf(text);
  const given = parametersOf(url);
  return {
    host: hostOf(url, given),
    port: url.port === "" ? PORT : Number(url.port),
    user: required(decoded(url.username, "user"), "a user"),
    password: url.password === "" ? null : decoded(url.password, "password"),
    database: required(decoded(url.pathname.slice(1), "database"), "a database"),
    ...tlsOf(given),
    ...sessionOf(given),
    applicationName: given.application_name ?? "troupe",
    connectTimeoutMs: secondsOf(given.connect_timeout) * 1_000,
  };
}

/** @throws InvalidInputError INVALID_CONFIG for a schema whose name the queue cannot take over */
export function assertPlainSchema(schema: string): void {
  if (PLAIN_SCHEMA.test(schema)) return;
  throw refused(
    "expected a schema of at most 43 lower-case letters, digits and underscores, " +
      `for the queue's schema is named after it; was ${JSON.stringify(schema)}`,
  );
}

function urlOf(text: string): URL {
  // A user without a host, as in postgres://user@/database?host=/run/postgresql, is no URL elsewhere.
  const url = URL.parse(text) ?? URL.parse(text.replace(/^(\w+:\/\/[^/?#]*)@\//, `$1@${NO_HOST}/`));
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol)) throw refused(`expected ${FORM}`);
  if (url.hash !== "") throw refused('expected no "#"; write %23 for one in a name or password');
  return url;
}

function hostOf(url: URL, given: Parameters): string {
  const named = url.hostname === NO_HOST ? "" : url.hostname;
  const host = decoded(named, "host").replace(/^\[(.+)\]$/, "$1");
  if (given.host === undefined) {
    if (host.includes(",")) throw refused("expected one host");
    return required(host, "a host");
  }
  if (host !== "") throw refused("host: expected one host, not a second one after the ?");
  if (given.host.startsWith("/")) return given.host;
  throw refused("host: expected the folder of a Unix socket; a host stands before the database");
}

function parametersOf(url: URL): Parameters {
  const known: readonly string[] = PARAMETERS;
  const given: Record<string, string> = {};
  for (const [name, value] of url.searchParams) {
    if (!known.includes(name)) {
      throw refused(`${name}: not known here; known are ${PARAMETERS.join(", ")}`);
    }
    if (name in given) throw refused(`${name}: expected once`);
    if (value === "" || value.includes("\0")) throw refused(`${name}: expected a value`);
    given[name] = value;
  }
  const binding = given["channel_binding"];
  if (binding !== undefined && binding !== "disable" && binding !== "prefer") {
    throw refused("channel_binding: it cannot be demanded; leave it out, sslmode=verify-full does");
  }
  return given;
}

function tlsOf(given: Parameters): Pick<DatabaseAddress, "tls" | "tlsFiles" | "tlsDirect"> {
  const { sslcert, sslkey, sslnegotiation = "postgres", sslrootcert } = given;
  const tls = tlsModeOf(given);
  if (sslnegotiation !== "postgres" && sslnegotiation !== "direct") {
    throw refused("sslnegotiation: expected postgres or direct");
  }
  const isOn = tls !== null && tls !== "disable";
  const needsTls = { sslcert, sslkey, sslrootcert };
  for (const [name, value] of Object.entries(needsTls)) {
    if (value !== undefined && !isOn) throw refused(`${name}: expected an sslmode with TLS too`);
  }
  if (sslnegotiation === "direct" && !isOn) {
    throw refused("sslnegotiation: direct needs an sslmode with TLS too");
  }
  if ((sslcert === undefined) !== (sslkey === undefined)) {
    throw refused("sslcert and sslkey: expected both or neither");
  }
  return {
    tls: tls === "require" && sslrootcert !== undefined ? "verify-ca" : tls,
    tlsFiles: {
      rootCertificate: sslrootcert ?? null,
      certificate: sslcert ?? null,
      key: sslkey ?? null,
    },
    tlsDirect: sslnegotiation === "direct",
  };
}

function tlsModeOf({ ssl, sslmode }: Parameters): TlsMode | null {
  if (ssl !== undefined && sslmode !== undefined) throw refused("ssl and sslmode: expected one");
  if (ssl === "true" || ssl === "1") return "verify-full";
  if (ssl === "false" || ssl === "0") return "disable";
  if (ssl !== undefined) throw refused("ssl: expected true or false");
  if (sslmode === undefined) return null;
  if (sslmode === "allow" || sslmode === "prefer") {
    throw refused(
      `sslmode: ${sslmode} may go on in clear text; expected require, verify-ca, verify-full, or disable`,
    );
  }
  if (isTlsMode(sslmode)) return sslmode;
  throw refused(`sslmode: expected ${TLS_MODES.join(", ")}`);
}

function isTlsMode(mode: string): mode is TlsMode {
  return TLS_MODES.includes(mode);
}

function sessionOf(given: Parameters): Pick<DatabaseAddress, "options" | "schema"> {
  const { options, schema, search_path: path } = given;
  const asked = [schema, path, options?.includes("search_path") ? options : undefined];
  if (asked.filter((one) => one !== undefined).length > 1) {
    throw refused("schema, search_path and options: expected one of them to name the schema");
  }
  if (schema !== undefined) assertPlainSchema(schema);
  const chosen = schema ?? path;
  const searchPath = chosen === undefined ? [] : [`-c search_path=${escaped(chosen)}`];
  const all = [...(options === undefined ? [] : [options]), ...searchPath];
  return { options: all.length === 0 ? null : all.join(" "), schema: schema ?? null };
}

/** The server splits its options at white space that no backslash stands before. */
function escaped(value: string): string {
  return value.replaceAll(/[\\\s]/g, (character) => `\\${character}`);
}

function secondsOf(text: string | undefined): number {
  if (text === undefined) return CONNECT_TIMEOUT_S;
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text);
  throw refused("connect_timeout: expected whole seconds, 1 to 999");
}

function decoded(text: string, what: string): string {
  let value: string;
  try {
    value = decodeURIComponent(text);
  } catch {
    throw refused(`expected "%" in the ${what} as %25`);
  }
  // The protocol ends each text with one: what follows would be read as something else.
  if (value.includes("\0")) throw refused(`expected no NUL in the ${what}`);
  return value;
}

function required(value: string, what: string): string {
  if (value === "") throw refused(`expected ${FORM}, was without ${what}`);
  return value;
}

function refused(message: string): InvalidInputError {
  return new InvalidInputError("INVALID_CONFIG", `DATABASE_URL: ${message}`);
}
