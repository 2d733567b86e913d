import { resolve } from "node:path";
import { z } from "zod";
import { readDatabaseAddress } from "#domain/database-address.ts";
import { DomainError, errorMessage } from "#domain/errors.ts";

/** Plain digits only: what else a number may be written as was, each time, a slip of the keyboard. */
const whole = (min: number, max: number) =>
  z
    .string()
    .regex(/^(0|[1-9]\d*)$/, expectedWhole(min, max))
    .transform(Number)
    .refine((value) => value >= min && value <= max, expectedWhole(min, max));

const SLOWEST = 0.001;
const FASTEST = 10_000;
const speed = z
  .string()
  .regex(/^(max|(0|[1-9]\d*)(\.\d+)?)$/, expectedSpeed())
  .transform((text) => (text === "max" ? ("max" as const) : Number(text)))
  .refine((value) => value === "max" || (value >= SLOWEST && value <= FASTEST), expectedSpeed());

const databaseUrl = z.string().superRefine((url, context) => {
  try {
    readDatabaseAddress(url);
  } catch (error) {
    const message = errorMessage(error).replace(/^DATABASE_URL: /, "");
    context.addIssue({ code: "custom", message });
  }
});

/** Every setting, with its default and what it means: the source of `--help` and the docs. */
export const SETTINGS = {
  TROUPE_HOST: {
    schema: z.string().min(1).default("127.0.0.1"),
    help: "address the API listens on",
  },
  TROUPE_PORT: {
    schema: whole(0, 65_535).default(7420),
    help: "port of the API; 0 takes a free one",
  },
  TROUPE_DATA_DIR: {
    schema: z.string().min(1).default("./.troupe"),
    help: "folder of the embedded database and the log file",
  },
  DATABASE_URL: {
    schema: databaseUrl.optional(),
    help: "PostgreSQL to use instead of the embedded database",
  },
  TROUPE_HEARTBEAT_SECONDS: {
    schema: whole(2, 300).default(10),
    help: "a node silent for so long loses its work to the others; the shortest of all nodes counts",
  },
  TROUPE_MARKET: {
    schema: z
      .enum(["replay"], { error: 'expected "replay": live prices are not there yet' })
      .default("replay"),
    help: "where prices come from: recorded candles",
  },
  TROUPE_REPLAY_FILE: {
    schema: z.string().min(1).optional(),
    help: "candle files to replay instead of the bundled daily Bitcoin file: paths of files and folders, between commas",
  },
  TROUPE_REPLAY_STEP: {
    schema: z
      .string()
      .regex(
        /^[1-9]\d{0,3}[smhdwM]$/,
        'expected a step like "1m", "4h", "1d", "1w" or "1M" (a month)',
      )
      .optional(),
    help: "time between two bars of candle files whose name does not say it, e.g. 1m (default: from the bars)",
  },
  TROUPE_REPLAY_SPEED: {
    schema: speed.default(4),
    help: 'ticks per second of the replay, or "max"',
  },
  TROUPE_LOG_LEVEL: {
    schema: z.enum(["debug", "info", "warn", "error", "silent"]).default("info"),
    help: "least serious messages that are logged",
  },
  TROUPE_ENGINE_THREADS: {
    schema: whole(0, 64).optional(),
    help: "threads that strategies run in, PostgreSQL only; 0: the main one (default: half of the cores)",
  },
  TROUPE_URL: {
    schema: z.url().optional(),
    help: "running engine the CLI talks to (default: TROUPE_HOST and TROUPE_PORT)",
  },
  TROUPE_CRASH_AT: {
    schema: z
      .string()
      .regex(
        /^[a-z.-]+(:[1-9]\d*(:SIG(KILL|TERM))?)?$/,
        'expected a failpoint name, "journal.after-commit:3", or "tick.before-close:2:SIGTERM"',
      )
      .optional(),
    help: "fault injection: kill this process at a named failpoint, the n-th time (SIGKILL, or :SIGTERM)",
  },
} as const;

type Name = keyof typeof SETTINGS;

export interface Config {
  host: string;
  port: number;
  dataDir: string;
  databaseUrl: string | undefined;
  heartbeatSeconds: number;
  market: "replay";
  replayFile: string | undefined;
  replayStep: string | undefined;
  /** Ticks per real second; null: as fast as possible. */
  replaySpeed: number | null;
  logLevel: "debug" | "info" | "warn" | "error" | "silent";
  /** Null: as many as suit the machine. */
  engineThreads: number | null;
  url: string;
  crashAt: { failpoint: string; occurrence: number; signal: "SIGKILL" | "SIGTERM" } | undefined;
}

const schema = z.object({
  TROUPE_HOST: SETTINGS.TROUPE_HOST.schema,
  TROUPE_PORT: SETTINGS.TROUPE_PORT.schema,
  TROUPE_DATA_DIR: SETTINGS.TROUPE_DATA_DIR.schema,
  DATABASE_URL: SETTINGS.DATABASE_URL.schema,
  TROUPE_HEARTBEAT_SECONDS: SETTINGS.TROUPE_HEARTBEAT_SECONDS.schema,
  TROUPE_MARKET: SETTINGS.TROUPE_MARKET.schema,
  TROUPE_REPLAY_FILE: SETTINGS.TROUPE_REPLAY_FILE.schema,
  TROUPE_REPLAY_STEP: SETTINGS.TROUPE_REPLAY_STEP.schema,
  TROUPE_REPLAY_SPEED: SETTINGS.TROUPE_REPLAY_SPEED.schema,
  TROUPE_LOG_LEVEL: SETTINGS.TROUPE_LOG_LEVEL.schema,
  TROUPE_ENGINE_THREADS: SETTINGS.TROUPE_ENGINE_THREADS.schema,
  TROUPE_URL: SETTINGS.TROUPE_URL.schema,
  TROUPE_CRASH_AT: SETTINGS.TROUPE_CRASH_AT.schema,
});

/**
 * The environment as configuration; an empty variable counts as not set.
 * @throws DomainError INVALID_CONFIG naming every variable that is wrong and what it should be.
 */
export function readConfig(environment: Readonly<Record<string, string | undefined>>): Config {
  const given = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value !== undefined && value !== ""),
  );
  const parsed = schema.safeParse(given);
  if (!parsed.success) throw invalid(parsed.error);
  const read = parsed.data;
  const port = read.TROUPE_PORT;
  return {
    host: read.TROUPE_HOST,
    port,
    dataDir: resolve(read.TROUPE_DATA_DIR),
    databaseUrl: read.DATABASE_URL,
    heartbeatSeconds: read.TROUPE_HEARTBEAT_SECONDS,
    market: read.TROUPE_MARKET,
    replayFile: read.TROUPE_REPLAY_FILE,
    replayStep: read.TROUPE_REPLAY_STEP,
    replaySpeed: read.TROUPE_REPLAY_SPEED === "max" ? null : read.TROUPE_REPLAY_SPEED,
    logLevel: read.TROUPE_LOG_LEVEL,
    engineThreads: read.TROUPE_ENGINE_THREADS ?? null,
    // Paths are added to it: a slash at its end would make two.
    url: (read.TROUPE_URL ?? `http://${bracketed(read.TROUPE_HOST)}:${port}`).replace(/\/+$/, ""),
    crashAt: crashAt(read.TROUPE_CRASH_AT),
  };
}

/** An IPv6 address as URLs want it. */
function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

/** One line per variable, for `--help`. */
export function describeSettings(): string {
  const names = Object.keys(SETTINGS).filter((name): name is Name => name in SETTINGS);
  return names
    .map((name) => `  ${name.padEnd(24)} ${SETTINGS[name].help}${defaultOf(name)}`)
    .join("\n");
}

function defaultOf(name: Name): string {
  const parsed = SETTINGS[name].schema.safeParse(undefined);
  return parsed.success && parsed.data !== undefined ? ` (default ${parsed.data})` : "";
}

function crashAt(value: string | undefined): Config["crashAt"] {
  if (value === undefined) return undefined;
  const [failpoint = "", occurrence = "1", signal] = value.split(":");
  const isPlanned = signal === "SIGTERM";
  return { failpoint, occurrence: Number(occurrence), signal: isPlanned ? "SIGTERM" : "SIGKILL" };
}

function expectedWhole(min: number, max: number): string {
  return `expected a whole number from ${min} to ${max}, in digits`;
}

function expectedSpeed(): string {
  return `expected a number from ${SLOWEST} to ${FASTEST}, or "max"`;
}

function invalid(error: z.ZodError): DomainError {
  const fields = error.issues.map((issue) => ({
    field: issue.path.join("."),
    message: issue.message,
  }));
  const lines = fields.map(({ field, message }) => `${field}: ${message}`);
  return new DomainError("INVALID_CONFIG", `invalid configuration\n${lines.join("\n")}`, {
    fields,
  });
}
