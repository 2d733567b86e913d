import type { IncomingMessage } from "node:http";
import { DomainError } from "#domain/errors.ts";

/** Whoever reaches the port may do everything: nobody has to sign in. */
export function assertLoopback(host: string): void {
  if (isLoopback(host)) return;
  const message =
    `TROUPE_HOST: expected a loopback address (127.0.0.1, ::1, localhost), was ${host}; ` +
    "there is no sign-in yet, so the API may not be reachable from other machines. " +
    "Reach it through a tunnel: ssh -L 7420:127.0.0.1:7420 <this machine>";
  throw new DomainError("INVALID_CONFIG", message, {
    fields: [{ field: "TROUPE_HOST", message: "expected a loopback address" }],
  });
}

/**
 * Why a request must be refused, or null. A page of another site may not drive the engine through
 * the visitor's browser, neither directly (Origin) nor under a name that it makes resolve to this
 * machine (Host).
 */
export function refusal({ headers }: Pick<IncomingMessage, "headers">): string | null {
  const { host, origin } = headers;
  if (host === undefined || !isLoopback(hostnameOf(host))) {
    return `expected a Host that names this machine, was ${host ?? "none"}`;
  }
  if (origin === undefined) return null;
  return origin === `http://${host}` ? null : `expected no foreign Origin, was ${origin}`;
}

function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, "$1");
  return name === "localhost" || name === "::1" || /^127(\.\d{1,3}){3}$/.test(name);
}

function hostnameOf(host: string): string {
  return host.replace(/:\d+$/, "");
}
