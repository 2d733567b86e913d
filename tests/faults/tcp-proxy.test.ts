// The instrument of the other tests here: it breaks what it says, and nothing else.
import pg from "pg";
import { beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { createPostgresDatabase } from "#support/databases.ts";
import { startTcpProxy, type TcpProxy } from "#support/tcp-proxy.ts";

let databaseUrl: string;
let proxy: TcpProxy;

beforeEach(async () => {
  const database = await createPostgresDatabase();
  onTestFinished(() => database[Symbol.asyncDispose]());
  databaseUrl = database.url;
  proxy = await startTcpProxy(databaseUrl);
  onTestFinished(() => proxy[Symbol.asyncDispose]());
  const direct = await connectTo(databaseUrl);
  await direct.query("create table notes (note text)");
});

describe("a bad network", () => {
  test("cuts what is open, refuses newcomers, and heals", async () => {
    const client = await connectTo(proxy.url);
    const ended = new Promise<void>((resolve) => client.once("end", () => resolve()));
    proxy.refuse();
    expect((await client.query("select 1 as one")).rows).toEqual([{ one: 1 }]);
    proxy.cut("reset");
    await ended;
    await expect(connectTo(proxy.url)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await proxy.heal();
    await connectTo(proxy.url);
    expect(proxy.connections).toBe(1);
  });

  test("delays each direction", async () => {
    const client = await connectTo(proxy.url);
    proxy.delay(60);
    const begun = performance.now();
    await client.query("select 1");
    expect(performance.now() - begun).toBeGreaterThan(115);
  });

  test("swallows what is sent, and gives it out when healed", async () => {
    const client = await connectTo(proxy.url);
    proxy.blackHole();
    const late = client.query("select 1 as one");
    await expect(connectTo(proxy.url, { connectionTimeoutMillis: 150 })).rejects.toThrow("timeout");
    await proxy.heal();
    expect((await late).rows).toEqual([{ one: 1 }]);
  });

  test("strands connections without a word", async () => {
    const client = await connectTo(proxy.url, { query_timeout: 150 });
    proxy.strand();
    await expect(client.query("select 1")).rejects.toThrow("Query read timeout");
    await connectTo(proxy.url);
  });
});

describe("a connection lost at its commit", () => {
  test.for([
    { moment: "before", stored: 0 },
    { moment: "after", stored: 1 },
  ] as const)("$moment it reached the server leaves $stored", async ({ moment, stored }) => {
    const cut = proxy.cutAtCommit(moment, /notes/);
    await commitNote(/nothing/);
    await expect(commitNote(/notes/)).rejects.toThrow("Connection terminated unexpectedly");
    await cut;
    expect(await notes()).toBe(stored);
  });

  test("is carried out when the commit comes late", async () => {
    const holding = proxy.holdCommit(/notes/);
    await expect(commitNote(/notes/)).rejects.toThrow("Connection terminated unexpectedly");
    const held = await holding;
    expect(await notes()).toBe(0);
    await held.deliver();
    expect(await notes()).toBe(1);
  });
});

/** One transaction, with a note if it is asked for. */
async function commitNote(what: RegExp): Promise<void> {
  const client = await connectTo(proxy.url);
  await client.query("begin");
  await client.query("select $1::text", ["a statement with a parameter"]);
  if (what.test("notes")) await client.query("insert into notes values ($1)", ["one"]);
  await client.query("commit");
}

async function notes(): Promise<number> {
  const client = await connectTo(databaseUrl);
  return (await client.query("select * from notes")).rows.length;
}

async function connectTo(url: string, options: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, ...options });
  client.on("error", () => undefined);
  await client.connect();
  onTestFinished(() => client.end().catch(() => undefined));
  return client;
}
