import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { z } from "zod";
import { toTransportError, RequestFailure } from "#api/errors.ts";
import { startApi } from "#api/server.ts";
import { DomainError, InvariantError } from "#domain/errors.ts";
import { startEngine, type RunningEngine } from "#support/running-engine.ts";

const errorShape = z.object({
  error: z.object({
    message: z.string(),
    data: z.strictObject({
      code: z.string(),
      httpStatus: z.number(),
      path: z.string().nullable(),
      domainCode: z.string().nullable(),
      fieldErrors: z.array(z.object({ field: z.string(), message: z.string() })),
      requestId: z.uuid(),
    }),
  }),
});

/** A template without strategies, so without ticks. */
const PAUSABLE = "momentum_regime_btc_daily";

let engine: RunningEngine;

beforeAll(async () => {
  engine = await startEngine();
});

afterAll(() => engine[Symbol.asyncDispose]());

describe("health", () => {
  test("before the engine runs it is healthy but not ready, and takes no commands", async () => {
    await using starting = await startEngine({ started: false });
    const { client, url } = starting;
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    const readiness = await fetch(`${url}/readyz`);
    expect(readiness.status).toBe(503);
    expect(await readiness.json()).toMatchObject({ status: "not ready", engine: "starting" });
    expect(await client.definitions.list.query()).not.toEqual([]);
    expect(await client.engine.status.query()).toMatchObject({ phase: "starting", queues: null });
    const request = { definition: "multi_agent_btc_daily", initialBalance: "1" };
    await expect(client.strategies.create.mutate(request)).rejects.toMatchObject({
      data: { domainCode: "SHUTTING_DOWN", httpStatus: 503 },
    });
  });

  test("the supervisors of a node are shown with what they do", async () => {
    const { id } = await engine.client.definitions.get.query({ definition: PAUSABLE });
    const groupOf = async () =>
      (await engine.client.engine.status.query()).groups.find(
        ({ definitionId }) => definitionId === id,
      );
    await expect.poll(groupOf, { timeout: 5_000 }).toEqual({
      definitionId: id,
      state: "idle",
      tickFor: null,
      outstandingShards: 0,
      skipped: 0,
    });
    await engine.client.definitions.pause.mutate({ definition: PAUSABLE });
    await expect.poll(groupOf, { timeout: 5_000 }).toMatchObject({ state: "paused" });
    await engine.client.definitions.resume.mutate({ definition: PAUSABLE });
    await expect.poll(groupOf, { timeout: 5_000 }).toMatchObject({ state: "idle" });
  });

  test("a running engine is ready, with what was looked at", async () => {
    expect(await ask("/readyz")).toMatchObject({
      status: 200,
      body: {
        status: "ready",
        checks: [
          { name: "database", ok: true },
          { name: "migrations", ok: true },
          { name: "queue", ok: true },
        ],
      },
    });
  });
});

describe("errors", () => {
  test.each([
    ["an unknown path", () => ask("/nope"), 404],
    ["an unknown procedure", () => ask("/trpc/strategies.nope"), 404],
    ["an input that is no JSON", () => ask("/trpc/strategies.get?input=nope"), 400],
    ["a wrong input", () => ask('/trpc/strategies.get?input={"strategyId":1}'), 400],
    ["a foreign origin", () => ask("/trpc/engine.status", { origin: "http://evil.test" }), 403],
  ])("%s is answered in the one shape of errors", async (_name, send, status) => {
    const answer = await send();
    expect(answer.status).toBe(status);
    expect(errorShape.parse(answer.body).error.data.httpStatus).toBe(status);
  });

  test("a bug keeps its message to itself and shows the request id", () => {
    const error = toTransportError(new Error("the password is swordfish"), "some-request");
    expect(error.message).not.toContain("swordfish");
    expect(error.message).toContain("some-request");
    expect(error.code).toBe("INTERNAL_SERVER_ERROR");
    const broken = toTransportError(new InvariantError("the cash is gone"), "some-request");
    expect(broken.message).not.toContain("cash");
  });

  test("what was thrown on purpose keeps code, message and fields", () => {
    const fields = [{ field: "buy_threshold", message: "expected a number" }];
    const thrown = new DomainError("INVALID_PARAMS", "wrong params", { fields });
    const { cause, code, message } = toTransportError(thrown, "some-request");
    expect({ code, message }).toEqual({ code: "BAD_REQUEST", message: "wrong params" });
    expect(cause instanceof RequestFailure ? cause.publicError : null).toEqual({
      domainCode: "INVALID_PARAMS",
      fieldErrors: fields,
      requestId: "some-request",
    });
  });

  test("a body beyond the limit is refused, and the server lives on", async () => {
    const answer = await call("strategies.create", { definition: "x".repeat(300 * 1024) });
    expect(answer.status).toBe(413);
    expect((await ask("/healthz")).status).toBe(200);
  });

  test("a message beyond the limit ends its socket, and the server lives on", async () => {
    const socket = await open({});
    const closed = new Promise((resolve) => {
      socket.on("close", resolve);
    });
    socket.on("error", () => undefined);
    socket.send("x".repeat(300 * 1024));
    expect(await closed).toBe(1009);
    expect((await ask("/healthz")).status).toBe(200);
  });
});

describe("who may come in", () => {
  test.each([
    "evil.test",
    "evil.test:7420",
    "localhost.evil.test",
    "127.0.0.1.evil.test",
    "10.0.0.1",
  ])("a request for host %s is refused", async (host) => {
    expect((await ask("/trpc/engine.status", { host })).status).toBe(403);
  });

  test.each(["localhost:9999", "127.0.0.1", "[::1]:7420"])(
    "a request for host %s, as through a tunnel, is answered",
    async (host) => {
      expect((await ask("/trpc/engine.status", { host })).status).toBe(200);
    },
  );

  test.each(["http://evil.test", "null", "https://localhost", "http://localhost:1"])(
    "a browser's page of %s is refused",
    async (origin) => {
      expect((await ask("/trpc/engine.status", { host: "localhost:7420", origin })).status).toBe(
        403,
      );
      await expect(open({ origin })).rejects.toThrow("403");
    },
  );

  test("a page of the engine itself is answered", async () => {
    const headers = { host: "localhost:7420", origin: "http://localhost:7420" };
    expect((await ask("/trpc/engine.status", headers)).status).toBe(200);
  });

  test.each(["0.0.0.0", "::", "192.168.1.2", "example.test"])(
    "it does not listen on %s, where others could reach it",
    async (host) => {
      const { services } = engine.troupe;
      const parts = { services } as unknown as Parameters<typeof startApi>[0];
      await expect(startApi(parts, { host, port: 0 })).rejects.toMatchObject({
        code: "INVALID_CONFIG",
      });
    },
  );

  test("a port that is taken is told with what to do about it", async () => {
    const parts = { services: engine.troupe.services } as unknown as Parameters<typeof startApi>[0];
    const port = Number(new URL(engine.url).port);
    await expect(startApi(parts, { host: "127.0.0.1", port })).rejects.toThrow(/TROUPE_PORT/);
  });
});

test("closing tells the sockets and hangs on none of them", async () => {
  const running = await startEngine();
  const socket = new WebSocket(`${running.url.replace("http", "ws")}/trpc`);
  const messages: string[] = [];
  socket.on("message", (data: Buffer) => messages.push(data.toString()));
  await new Promise((resolve) => {
    socket.on("open", resolve);
  });
  const closed = new Promise((resolve) => {
    socket.on("close", resolve);
  });
  await running[Symbol.asyncDispose]();
  expect(await closed).toBe(1001);
  expect(messages.join()).toContain("reconnect");
});

interface Answer {
  status: number;
  body: unknown;
}

/** Over node:http, which sends the Host it is told. */
function ask(path: string, headers: Record<string, string> = {}): Promise<Answer> {
  return exchange(path, { method: "GET", headers });
}

function call(procedure: string, input: object): Promise<Answer> {
  const headers = { "content-type": "application/json" };
  return exchange(`/trpc/${procedure}`, { method: "POST", headers }, JSON.stringify(input));
}

function exchange(
  path: string,
  options: { method: string; headers: Record<string, string> },
  body?: string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(new URL(encodeURI(path), engine.url), options, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => {
        resolve({ status: response.statusCode ?? 0, body: JSON.parse(text) });
      });
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

function open(headers: Record<string, string>): Promise<WebSocket> {
  const socket = new WebSocket(`${engine.url.replace("http", "ws")}/trpc`, { headers });
  return new Promise((resolve, reject) => {
    socket.on("open", () => resolve(socket));
    socket.on("error", reject);
  });
}
