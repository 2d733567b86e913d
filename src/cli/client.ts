import { createTRPCClient, httpLink, TRPCClientError } from "@trpc/client";
import { z } from "zod";
import type { AppRouter } from "#api/router.ts";
import { readConfig } from "#config/config.ts";
import { DomainError } from "#domain/errors.ts";

export type Client = ReturnType<typeof createTRPCClient<AppRouter>>;

/** Enough to tell one strategy from another at a glance. */
const LEAST_PREFIX = 4;

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

/** A whole id, or the only strategy whose id begins so. */
export async function strategyIdOf(client: Client, given: string): Promise<string> {
  if (z.uuid().safeParse(given).success) return given;
  if (given.length < LEAST_PREFIX) {
    const message = `expected an id or at least its first ${LEAST_PREFIX} characters, was ${given}`;
    throw new DomainError("INVALID_INPUT", message);
  }
  const found: { id: string; name: string }[] = [];
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<Client["strategies"]["list"]["query"]>> =
      await client.strategies.list.query({ limit: 200, cursor });
    found.push(...page.items.filter(({ id }) => id.startsWith(given.toLowerCase())));
    cursor = page.nextCursor;
  } while (cursor !== null);
  const [only, ...others] = found;
  if (only === undefined) {
    throw new DomainError("STRATEGY_NOT_FOUND", `no strategy whose id begins with ${given}`);
  }
  if (others.length === 0) return only.id;
  const names = found.map(({ id, name }) => `${id} (${name})`).join(", ");
  throw new DomainError("INVALID_INPUT", `${given} is the beginning of several ids: ${names}`);
}
