import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { SocketConnection } from "#api/connection.ts";
import { startEngine, type LogLine, type RunningEngine } from "#support/running-engine.ts";

const DAILY = "multi_agent_btc_daily";
const POLICY_VIOLATION = 1008;
const MB = 1024 * 1024;

let engine: RunningEngine;
let log: LogLine[] = [];

beforeAll(async () => {
  engine = await startEngine({ speed: 2, onLog: (line) => log.push(line) });
  for (let made = 0; made < 12; made += 1) {
    await engine.client.strategies.create.mutate({ definition: DAILY, initialBalance: "1000" });
  }
});

beforeEach(() => {
  log = [];
});

afterAll(() => engine[Symbol.asyncDispose]());

describe("a socket", () => {
  test("that asks without end and never reads is closed, and nobody else notices", async () => {
    const before = process.memoryUsage().heapUsed;
    const socket = await open();
    const closed = ended(socket);
    socket.pause();
    for (let id = 0; id < 20_000; id += 1) socket.send(call(id, "query", "strategies.list"));
    await expect.poll(refusals, { timeout: 20_000 }).toHaveLength(1);
    const askedAt = performance.now();
    expect((await fetch(`${engine.url}/healthz`)).status).toBe(200);
    expect(performance.now() - askedAt).toBeLessThan(6_000);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(300 * MB);
    const ticks = engine.troupe.clock.now();
    await expect.poll(() => engine.troupe.clock.now(), { timeout: 20_000 }).toBeGreaterThan(ticks);
    socket.resume();
    await closed;
  });

  test("with more calls under way than it may have is told why it is closed", async () => {
    const socket = await open();
    const closed = ended(socket);
    const calls = Array.from({ length: 500 }, (_, id) => callOf(id, "query", "strategies.list"));
    socket.send(JSON.stringify(calls));
    expect(await closed).toEqual({
      code: POLICY_VIOLATION,
      reason: "more than 100 calls under way on one socket",
    });
  });

  test("with more subscriptions than it may have is told why it is closed", async () => {
    const socket = await open();
    const closed = ended(socket);
    for (let id = 0; id < 200; id += 1) {
      socket.send(call(id, "subscription", "strategies.onChange"));
      // One after the other, so that it is not the calls that are too many.
      await answerTo(socket, id);
      if (socket.readyState !== socket.OPEN) break;
    }
    expect(await closed).toEqual({
      code: POLICY_VIOLATION,
      reason: "more than 100 subscriptions on one socket",
    });
  });

  test("that leaves too many bytes waiting is closed at its next message", async () => {
    await using lines = new AsyncDisposableStack();
    const { client, served } = await connected(lines);
    const warnings: object[] = [];
    const logger = { info: () => undefined, warn: (detail: object) => warnings.push(detail) };
    const connection = new SocketConnection(
      served,
      { ...logger, error: () => undefined },
      { calls: 10, subscriptions: 10, waitingBytes: MB },
    );
    client.pause();
    const room = new Promise((resolve) => {
      served.once("message", resolve);
    });
    client.send("still within");
    await room;
    expect(warnings).toEqual([]);
    while (served.bufferedAmount <= MB) served.send("x".repeat(MB));
    client.send("one more");
    await expect
      .poll(() => warnings)
      .toEqual([{ reason: `more than ${MB} bytes wait to be read` }]);
    expect(() => connection.call()).toThrow("bytes wait to be read");
    await expect.poll(() => served.readyState, { timeout: 5_000 }).toBe(served.CLOSED);
  });

  test("within its limits is answered, and a subscription that ended makes room", async () => {
    const socket = await open();
    for (let id = 0; id < 150; id += 1) {
      socket.send(call(id, "subscription", "strategies.onChange"));
      await answerTo(socket, id);
      socket.send(JSON.stringify({ id, jsonrpc: "2.0", method: "subscription.stop" }));
    }
    const calls = Array.from({ length: 40 }, (_, n) => callOf(1_000 + n, "query", "engine.status"));
    const last = answerTo(socket, 1_039);
    socket.send(JSON.stringify(calls));
    await last;
    expect(socket.readyState).toBe(socket.OPEN);
    expect(refusals()).toEqual([]);
    socket.close();
  });
});

function refusals(): unknown[] {
  return log.filter(({ msg }) => msg.startsWith("socket closed")).map(({ reason }) => reason);
}

/** Both ends of a socket of its own. */
async function connected(lines: AsyncDisposableStack) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  lines.defer(() => server.close());
  await new Promise((resolve) => {
    server.once("listening", resolve);
  });
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("no port");
  const accepted = new Promise<WebSocket>((resolve) => {
    server.once("connection", resolve);
  });
  const client = new WebSocket(`ws://127.0.0.1:${address.port}`);
  lines.defer(() => client.terminate());
  const opened = new Promise((resolve) => {
    client.once("open", resolve);
  });
  const served = await accepted;
  await opened;
  return { client, served };
}

function open(): Promise<WebSocket> {
  const socket = new WebSocket(`${engine.url.replace("http", "ws")}/trpc`);
  return new Promise((resolve, reject) => {
    socket.on("open", () => resolve(socket));
    // Once it is open, its end tells the rest.
    socket.on("error", reject);
  });
}

function ended(socket: WebSocket): Promise<{ code: number; reason: string }> {
  return new Promise((resolve) => {
    socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
  });
}

/** The first message about that call, or the end of the socket. */
function answerTo(socket: WebSocket, id: number): Promise<void> {
  return new Promise((resolve) => {
    const onMessage = (data: Buffer): void => {
      const message: unknown = JSON.parse(data.toString());
      if (typeof message !== "object" || message === null) return;
      if (!("id" in message) || message.id !== id) return;
      socket.off("message", onMessage);
      resolve();
    };
    socket.on("message", onMessage);
    socket.once("close", () => resolve());
  });
}

function callOf(id: number, method: string, path: string) {
  return { id, jsonrpc: "2.0", method, params: { path, input: {} } };
}

function call(id: number, method: string, path: string): string {
  return JSON.stringify(callOf(id, method, path));
}
