import { createTRPCClient, httpLink, TRPCClientError } from "@trpc/client";
import { z } from "zod";
import type { AppRouter } from "#api/router.ts";
import { readConfig } from "#config/config.ts";
import { DomainError } from "#domain/errors.ts";
import { quoted } from "#domain/quote.ts";

export type Client = ReturnType<typeof createTRPCClient<AppRouter>>;

/** Enough to tell one strategy from another at a glance. */
const LEAST_PREFIX = 4;
/** Strategies that an error names. */
const NAMED = 10;

/** The running engine's API, where the configuration says it is. */
export function openClient(): Client {
  const { url } = readConfig(process.env);
  return createTRPCClient<AppRouter>({ links: [httpLink({ url: `${url}/trpc` })] });
}

const remoteError = z.object({
  domainCode: z.string().nullable(),
  code: z.string(),
  fieldErrors: z.array(z.object({ field: z.string(), message: z.string() })),
});

/** What the API, or the way to it, answered instead of a result; null for any other error. */
export function remoteProblem(error: unknown) {
  if (!(error instanceof TRPCClientError)) return null;
  const known = remoteError.safeParse(error.data);
  if (known.success) {
    const { domainCode, code, fieldErrors: fields } = known.data;
    return { code: domainCode ?? code, message: error.message, fields };
  }
  const { url } = readConfig(process.env);
  const message =
    `no engine answers at ${url} (${causeOf(error)}); start one with "npm start", ` +
    "or say where it runs with TROUPE_URL";
  return { code: "PORT_UNAVAILABLE", message, fields: [] };
}

/** `fetch failed` says nothing; what lies beneath says why. */
function causeOf(error: Error): string {
  const innermost = error.cause instanceof Error ? (error.cause.cause ?? error.cause) : error;
  if (!(innermost instanceof Error)) return error.message;
  const code = "code" in innermost ? innermost.code : undefined;
  return typeof code === "string" ? code : innermost.message || error.message;
}

/**
 * A whole id, or the only strategy whose id begins so.
 * @throws DomainError STRATEGY_NOT_FOUND, with some of those that are there
 */
export async function strategyIdOf(client: Client, given: string): Promise<string> {
  const start = given.toLowerCase();
  if (z.uuid().safeParse(start).success) return existing(client, start);
  if (start.length < LEAST_PREFIX) {
    const message = `expected an id or at least its first ${LEAST_PREFIX} characters, was ${quoted(given)}`;
    throw new DomainError("INVALID_INPUT", message);
  }
  const all = await everyStrategy(client);
  const found = all.filter(({ id }) => id.startsWith(start));
  const [only, ...others] = found;
  if (only === undefined) {
    const message = `no strategy whose id begins with ${quoted(given)}; ${thereAre(all)}`;
    throw new DomainError("STRATEGY_NOT_FOUND", message);
  }
  if (others.length === 0) return only.id;
  const message = `${quoted(given)} is the beginning of several ids: ${namesOf(found)}`;
  throw new DomainError("INVALID_INPUT", message);
}

async function existing(client: Client, strategyId: string): Promise<string> {
  try {
    return (await client.strategies.get.query({ strategyId })).id;
  } catch (error) {
    if (remoteProblem(error)?.code !== "STRATEGY_NOT_FOUND") throw error;
    const message = `no strategy ${strategyId}; ${thereAre(await everyStrategy(client))}`;
    throw new DomainError("STRATEGY_NOT_FOUND", message, { cause: error });
  }
}

type Known = { id: string; name: string };

async function everyStrategy(client: Client): Promise<Known[]> {
  const found: Known[] = [];
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<Client["strategies"]["list"]["query"]>> =
      await client.strategies.list.query({ limit: 200, cursor });
    found.push(...page.items);
    cursor = page.nextCursor;
  } while (cursor !== null);
  return found;
}

function thereAre(all: readonly Known[]): string {
  return all.length === 0 ? "there is none" : `there are ${namesOf(all)}`;
}

function namesOf(strategies: readonly Known[]): string {
  const named = strategies.slice(0, NAMED).map(({ id, name }) => `${id} (${name})`);
  const more = strategies.length - named.length;
  return `${named.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
