// One port for everything: procedures over HTTP and WebSocket under /trpc, and the health checks.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createHTTPHandler } from "@trpc/server/adapters/standalone";
import { applyWSSHandler } from "@trpc/server/adapters/ws";
import { WebSocketServer } from "ws";
import { errorDetail } from "#domain/error-detail.ts";
import { DomainError } from "#domain/errors.ts";
import { httpConnection, SocketConnection } from "./connection.ts";
import { assertLoopback, refusal } from "./guard.ts";
import { appRouter } from "./router.ts";
import type { ApiDependencies } from "./trpc.ts";

const BASE_PATH = "/trpc";
/** Far above any request of ours: params and names. */
const MAX_BODY_BYTES = 256 * 1024;
/** Calls of one HTTP request. */
const MAX_BATCH = 50;
/** How long clients may take to say goodbye. */
const CLOSE_MS = 1_000;

export interface ApiServer extends AsyncDisposable {
  /** Where it listens, with the port it really got. */
  url: string;
  close(): Promise<void>;
}

/**
 * Listens and answers; reads work at once, commands as soon as the engine runs.
 * @throws DomainError INVALID_CONFIG for an address that others can reach, or a port that is taken
 */
export async function startApi(
  dependencies: ApiDependencies,
  { host, port }: { host: string; port: number },
): Promise<ApiServer> {
  assertLoopback(host);
  const procedures = createHTTPHandler({
    router: appRouter,
    basePath: `${BASE_PATH}/`,
    maxBodySize: MAX_BODY_BYTES,
    maxBatchSize: MAX_BATCH,
    createContext: () => ({ ...dependencies, connection: httpConnection }),
  });
  const server = createServer((request, response) => {
    answer(request, response, { dependencies, procedures }).catch((error: unknown) => {
      dependencies.logger.error({ url: request.url, error: errorDetail(error) }, "request failed");
      response.destroy();
    });
  });
  const sockets = acceptSockets(server, dependencies);
  await listen(server, host, port);
  const close = () => closeAll(server, sockets);
  return { url: urlOf(server, host), close, [Symbol.asyncDispose]: close };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  {
    dependencies,
    procedures,
  }: { dependencies: ApiDependencies; procedures: ReturnType<typeof createHTTPHandler> },
): Promise<void> {
  const refused = refusal(request);
  if (refused !== null) {
    refuse(response, { code: "FORBIDDEN", httpStatus: 403, message: refused });
    return;
  }
  const [path = ""] = (request.url ?? "").split("?");
  if (path.startsWith(`${BASE_PATH}/`)) {
    procedures(request, response);
  } else if (path === "/healthz") {
    send(response, 200, { status: "ok" });
  } else if (path === "/readyz") {
    await sendReadiness(response, dependencies);
  } else {
    const message = `expected ${BASE_PATH}/<procedure>, /healthz or /readyz, was ${path}`;
    refuse(response, { code: "NOT_FOUND", httpStatus: 404, message });
  }
}

async function sendReadiness(
  response: ServerResponse,
  dependencies: ApiDependencies,
): Promise<void> {
  const { monitor, services } = dependencies;
  const { phase } = monitor;
  const checks = await services.health.checks();
  const isReady = phase === "running" && checks.every(({ ok }) => ok);
  const market = monitor.market();
  // It answers and takes commands, so whoever asks need not go elsewhere; but no tick will come.
  const standing = market.finished ? "finished" : "ready";
  send(response, isReady ? 200 : 503, {
    status: isReady ? standing : "not ready",
    engine: phase,
    market,
    checks,
  });
}

/** The same shape as a procedure's error. */
function refuse(
  response: ServerResponse,
  { message, ...data }: { code: string; httpStatus: number; message: string },
): void {
  const requestId = crypto.randomUUID();
  const detail = { ...data, path: null, domainCode: null, fieldErrors: [], requestId };
  send(response, data.httpStatus, { error: { message, data: detail } });
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
  response.end(JSON.stringify(body));
}

interface Sockets {
  server: WebSocketServer;
  announceClose(): void;
}

function acceptSockets(server: Server, dependencies: ApiDependencies): Sockets {
  const socketServer = new WebSocketServer({ noServer: true, maxPayload: MAX_BODY_BYTES });
  server.on("upgrade", (request, socket, head) => {
    const [path] = (request.url ?? "").split("?");
    if (refusal(request) !== null || path !== BASE_PATH) {
      // Nobody else listens: a client that is gone already would end the process.
      socket.on("error", () => socket.destroy());
      socket.end("HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n");
      return;
    }
    socketServer.handleUpgrade(request, socket, head, (client) => {
      socketServer.emit("connection", client, request);
    });
  });
  const handler = applyWSSHandler({
    wss: socketServer,
    router: appRouter,
    keepAlive: { enabled: true },
    createContext: ({ res }) => ({
      ...dependencies,
      connection: new SocketConnection(res, dependencies.logger),
    }),
  });
  return { server: socketServer, announceClose: handler.broadcastReconnectNotification };
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => reject(cannotListen(error, host, port)));
    server.listen({ host, port }, resolve);
  });
}

function cannotListen(error: Error, host: string, port: number): DomainError {
  const isTaken = "code" in error && error.code === "EADDRINUSE";
  const message = isTaken
    ? `port ${port} of ${host} is taken by another program (perhaps a running troupe); ` +
      "stop it or set TROUPE_PORT to another port, 0 for a free one"
    : `cannot listen on ${host}:${port}: ${error.message}`;
  return new DomainError("INVALID_CONFIG", message, { cause: error });
}

function urlOf(server: Server, host: string): string {
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** No new requests; those under way end; sockets are told to come back later. */
async function closeAll(server: Server, sockets: Sockets): Promise<void> {
  if (!server.listening) return;
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  sockets.announceClose();
  for (const client of sockets.server.clients) client.close(1001, "the engine is stopping");
  server.closeIdleConnections();
  const late = setTimeout(() => {
    for (const client of sockets.server.clients) client.terminate();
    server.closeAllConnections();
  }, CLOSE_MS);
  await closed;
  clearTimeout(late);
  sockets.server.close();
}
