import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { createWorkQueue, type QueueTuning } from "#adapters/pg-boss-queue.ts";
import { DomainError, FencedError } from "#domain/errors.ts";
import type { Claim, Transaction, WorkQueue } from "#ports/work-queue.ts";
import {
  pgliteQueueDatabase,
  postgresQueueDatabase,
  type QueueTestDatabase,
} from "../support/queue-databases.ts";

const databases = [
  ["postgres", postgresQueueDatabase],
  ["pglite", pgliteQueueDatabase],
] as const;

// Two supervisor passes of pg-boss, or the first delay of a failed message.
const failover = { timeout: 15_000 };
const soon = { timeout: 5_000 };

describe.each(databases)("the work queue on %s", (_name, openDatabase) => {
  let store: QueueTestDatabase;
  const open: WorkQueue[] = [];

  beforeAll(async () => {
    store = await openDatabase();
    await store.sql("create table notes (text text not null)");
  });

  afterEach(async () => {
    await Promise.all(open.splice(0).map((queue) => queue.stop(0)));
    await store.sql("delete from pgboss.job");
    await store.sql("delete from notes");
  });

  afterAll(async () => {
    await store[Symbol.asyncDispose]();
  });

  test("a message reaches a handler with its key and body", async () => {
    const queue = await startQueue();
    const claims = collect(queue);
    await queue.send("shards", [{ key: "a", body: { tick: "t1", depth: { n: [1, null] } } }]);
    await vi.waitFor(() => expect(claims).toHaveLength(1), soon);
    expect(claims[0]).toMatchObject({
      queue: "shards",
      key: "a",
      body: { tick: "t1", depth: { n: [1, null] } },
      attempt: 0,
    });
  });

  test("the messages of one key arrive one at a time and in order", async () => {
    const queue = await startQueue();
    const log: string[] = [];
    let active = 0;
    queue.run("shards", 4, async (claim) => {
      active += 1;
      expect(active).toBe(1);
      await settle(claim);
      log.push(numberOf(claim));
      active -= 1;
    });
    const numbers = Array.from({ length: 20 }, (_, n) => String(n));
    const [first, second] = [numbers.slice(0, 12), numbers.slice(12)];
    await queue.send("shards", first.map(numbered));
    // In one transaction all messages share their time of creation.
    await store.transaction(async (transaction) => {
      for (const n of second) await queue.send("shards", [numbered(n)], transaction);
    });
    await vi.waitFor(() => expect(log).toEqual(numbers), soon);
  });

  test("messages of different keys run side by side up to the slots", async () => {
    const queue = await startQueue();
    const { started, release } = collectHeld(queue, 3);
    await queue.send("shards", keyed("a", "b", "c", "d"));
    await vi.waitFor(() => expect(started).toHaveLength(3), soon);
    release();
    await vi.waitFor(() => expect(started).toHaveLength(4), soon);
  });

  test("a handler that only waits lets another message in beside it", async () => {
    const queue = await startQueue();
    const { started, release } = collectHeld(queue, 1);
    await queue.send("shards", keyed("a", "b", "c"));
    await vi.waitFor(() => expect(started).toHaveLength(1), soon);
    started[0]?.yieldSlot();
    await vi.waitFor(() => expect(started).toHaveLength(2), soon);
    expect(await jobs()).toHaveLength(3);
    release();
    await vi.waitFor(() => expect(started).toHaveLength(3), soon);
  });

  test("the two queues of one node do not see each other's messages", async () => {
    const queue = await startQueue();
    const ticks = collect(queue, "ticks");
    const shards = collect(queue, "shards");
    await queue.send("ticks", keyed("definition"));
    await queue.send("shards", keyed("shard"));
    await vi.waitFor(() => expect([...ticks, ...shards]).toHaveLength(2), soon);
    expect(ticks.map((claim) => claim.key)).toEqual(["definition"]);
  });

  test("a message sent in a transaction exists when that commits", async () => {
    const queue = await startQueue();
    const claims = collect(queue);
    await store.transaction((transaction) => queue.send("shards", keyed("a"), transaction));
    await vi.waitFor(() => expect(claims).toHaveLength(1), soon);
  });

  test("a message sent in a transaction that rolls back never arrives", async () => {
    const queue = await startQueue();
    const claims = collect(queue);
    await rolledBack((transaction) => queue.send("shards", keyed("gone"), transaction));
    await queue.send("shards", keyed("kept"));
    await vi.waitFor(() => expect(claims).toHaveLength(1), soon);
    expect(claims[0]?.key).toBe("kept");
    expect(await jobs()).toHaveLength(1);
  });

  test("a settlement that rolls back leaves the message to be delivered again", async () => {
    const queue = await startQueue();
    const attempts: number[] = [];
    queue.run("shards", 1, async (claim) => {
      attempts.push(claim.attempt);
      if (claim.attempt === 0) await rolledBack((transaction) => claim.settle(transaction), true);
      await settle(claim);
    });
    await queue.send("shards", keyed("a"));
    await vi.waitFor(() => expect(attempts).toEqual([0, 1]), soon);
    await vi.waitFor(async () => expect(await notes()).toEqual(["a"]), soon);
  });

  test("a claim settles once: the second time is fenced and writes nothing", async () => {
    const queue = await startQueue();
    const outcomes: unknown[] = [];
    queue.run("shards", 1, async (claim) => {
      await settle(claim);
      await settle(claim).catch((error: unknown) => outcomes.push(error));
    });
    await queue.send("shards", keyed("a"));
    await vi.waitFor(() => expect(outcomes).toHaveLength(1), soon);
    expect(outcomes[0]).toBeInstanceOf(FencedError);
    expect(await notes()).toEqual(["a"]);
  });

  test("a claim can be held in one transaction and settled in a later one", async () => {
    const queue = await startQueue();
    queue.run("shards", 1, async (claim) => {
      await store.transaction(async (transaction, sql) => {
        await claim.hold(transaction);
        await sql("insert into notes values ('first half')");
      });
      await settle(claim);
    });
    await queue.send("shards", keyed("second half"));
    await vi.waitFor(
      async () => expect(await notes()).toEqual(["first half", "second half"]),
      soon,
    );
    expect(await jobs("completed")).toHaveLength(1);
  });

  test("the first holder of a message that failed over is fenced", async () => {
    const frozen = await startQueue({ touchMs: 600_000, abortGraceMs: 0 });
    const { started, release, results } = collectHeld(frozen, 1);
    await frozen.send("shards", keyed("a"));
    await vi.waitFor(() => expect(started).toHaveLength(1), soon);

    const other = collectHeld(await startQueue(), 1);
    await store.sql("update pgboss.job set heartbeat_on = now() - interval '1 minute'");
    await vi.waitFor(() => expect(other.started).toHaveLength(1), failover);
    expect(other.started[0]).toMatchObject({ id: started[0]?.id, attempt: 1 });

    // The message is active again, only in other hands: the attempt is all that tells them apart.
    release();
    await vi.waitFor(() => expect(results).toHaveLength(1), soon);
    expect(results[0]).toBeInstanceOf(FencedError);
    expect(started[0]?.signal.aborted).toBe(true);

    other.release();
    await vi.waitFor(() => expect(other.results).toEqual(["settled"]), soon);
  });

  test("a claim that was silent for the tuned heartbeat goes to another node", async () => {
    const frozen = await startQueue({ touchMs: 600_000, abortGraceMs: 0 });
    const other = await startQueue({ heartbeatSeconds: 2 });
    const { started } = collectHeld(frozen, 1);
    await frozen.send("shards", keyed("a"));
    await vi.waitFor(() => expect(started).toHaveLength(1), soon);

    const taken = collect(other);
    // Far from the ten seconds below which pg-boss itself does nothing.
    await store.sql("update pgboss.job set heartbeat_on = now() - interval '3 seconds'");
    await vi.waitFor(() => expect(taken).toMatchObject([{ key: "a", attempt: 1 }]), soon);
  });

  test("holding a claim that failed over is fenced too", async () => {
    const queue = await startQueue({ touchMs: 600_000 });
    const outcomes: unknown[] = [];
    queue.run("shards", 1, async (claim) => {
      if (claim.attempt > 0) return settle(claim);
      await takeAway(claim);
      await store.transaction((tx) => claim.hold(tx)).catch((error) => outcomes.push(error));
    });
    await queue.send("shards", keyed("a"));
    await vi.waitFor(() => expect(outcomes).toHaveLength(1), soon);
    expect(outcomes[0]).toBeInstanceOf(FencedError);
  });

  test("a handler learns from its signal that its claim was taken away", async () => {
    const queue = await startQueue({ touchMs: 50 });
    const reasons: unknown[] = [];
    queue.run("shards", 1, async (claim) => {
      if (claim.attempt > 0) return settle(claim);
      await takeAway(claim);
      await aborted(claim.signal);
      reasons.push(claim.signal.reason);
      throw claim.signal.reason;
    });
    await queue.send("shards", keyed("a"));
    await vi.waitFor(() => expect(reasons).toHaveLength(1), soon);
    expect(reasons[0]).toBeInstanceOf(FencedError);
    await vi.waitFor(async () => expect(await notes()).toEqual(["a"]), soon);
  });

  test("a claim that is kept alive is not taken for dead", async () => {
    const queue = await startQueue({ touchMs: 50 });
    const { started } = collectHeld(queue, 1);
    await queue.send("shards", keyed("a"));
    await vi.waitFor(() => expect(started).toHaveLength(1), soon);
    const [before] = await jobs("active");
    await vi.waitFor(async () => {
      const [now] = await jobs("active");
      expect(Number(now?.["heartbeat"])).toBeGreaterThan(Number(before?.["heartbeat"]));
    }, soon);
  });

  test("a handler that throws gets its message back with a growing attempt", async () => {
    const queue = await startQueue();
    const attempts: number[] = [];
    queue.run("shards", 1, async (claim) => {
      attempts.push(claim.attempt);
      if (claim.attempt < 2) throw new Error("exchange unreachable");
      await settle(claim);
    });
    await queue.send("shards", keyed("a"));
    await vi.waitFor(() => expect(attempts).toEqual([0, 1, 2]), failover);
    await vi.waitFor(async () => expect(await notes()).toEqual(["a"]), soon);
  });

  test("a failing key waits for its own retry and holds up no other", async () => {
    const queue = await startQueue();
    const order: string[] = [];
    queue.run("shards", 1, async (claim) => {
      order.push(`${claim.key}${numberOf(claim)}:${claim.attempt}`);
      if (claim.body["n"] === "1" && claim.attempt === 0) throw new Error("not yet");
      await settle(claim);
    });
    await queue.send("shards", [numbered("1"), numbered("2"), ...keyed("other")]);
    await vi.waitFor(() => expect(order).toHaveLength(4), failover);
    expect(order.filter((entry) => entry.startsWith("one"))).toEqual([
      "one1:0",
      "one1:1",
      "one2:0",
    ]);
    expect(order.indexOf("other:0")).toBeLessThan(order.indexOf("one1:1"));
  });

  test("a handler that returns without settling is treated as failed", async () => {
    const queue = await startQueue();
    const attempts: number[] = [];
    queue.run("shards", 1, async (claim) => {
      attempts.push(claim.attempt);
      if (claim.attempt > 0) await settle(claim);
    });
    await queue.send("shards", keyed("a"));
    await vi.waitFor(() => expect(attempts).toEqual([0, 1]), soon);
  });

  test("the very first call may come from inside an open transaction", async () => {
    const queue = await startQueue({ callTimeoutMs: 3_000 });
    await store.transaction(async (transaction, sql) => {
      await sql("insert into notes values ('opened')");
      await queue.send("ticks", keyed("definition"), transaction);
      await queue.send("shards", keyed("shard"), transaction);
    });
    expect(await jobs()).toHaveLength(2);
  });

  test("two nodes share the work and deliver nothing twice", async () => {
    const nodes = await Promise.all([startQueue(), startQueue()]);
    const delivered: Claim[][] = [[], []];
    const both = Promise.withResolvers<void>();
    nodes.forEach((node, index) =>
      node.run("shards", 4, async (claim) => {
        delivered[index]?.push(claim);
        if (delivered.every((claims) => claims.length > 0)) both.resolve();
        await both.promise;
        await settle(claim);
      }),
    );
    const keys = Array.from({ length: 60 }, (_, n) => `k${n % 30}`);
    await nodes[0]?.send("shards", keyed(...keys));
    await vi.waitFor(async () => expect(await notes()).toHaveLength(60), soon);
    expect(new Set(delivered.flat().map((claim) => claim.id)).size).toBe(60);
    expect(delivered.flat()).toHaveLength(60);
  });

  test("stopping waits for running handlers, which may still send and settle", async () => {
    const queue = await startQueue();
    const { started, release, results } = collectHeld(queue, 1, (transaction) =>
      queue.send("ticks", keyed("next"), transaction),
    );
    await queue.send("shards", keyed("a", "b"));
    await vi.waitFor(() => expect(started).toHaveLength(1), soon);
    const stopped = queue.stop(10_000);
    release();
    await stopped;
    expect(results).toEqual(["settled"]);
    expect(started).toHaveLength(1);
    expect((await jobs("completed")).map((job) => job["key"])).toEqual(["a"]);
    expect(new Set((await jobs("created")).map((job) => job["key"]))).toEqual(
      new Set(["b", "next"]),
    );
  });

  test("stopping releases what it cannot finish for another node to take at once", async () => {
    const leaving = await startQueue({ abortGraceMs: 10 });
    const { started, release, results } = collectHeld(leaving, 1);
    await leaving.send("shards", keyed("a"));
    await vi.waitFor(() => expect(started).toHaveLength(1), soon);
    const staying = await startQueue();
    const taken = collect(staying);

    await leaving.stop(10);
    expect(started[0]?.signal.aborted).toBe(true);
    // At once: a failed message would wait for at least a second.
    await vi.waitFor(() => expect(taken).toHaveLength(1), { timeout: 900 });
    expect(taken[0]?.attempt).toBe(1);

    release();
    await vi.waitFor(() => expect(results).toHaveLength(1), soon);
    expect(results[0]).toBeInstanceOf(FencedError);
    expect(await notes()).toEqual(["a"]);
  });

  test("a closed queue refuses to send", async () => {
    const queue = await startQueue();
    await queue.stop(0);
    const refused = queue.send("shards", keyed("a"));
    await expect(refused).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
  });

  test("health counts what waits and what runs", async () => {
    const queue = await startQueue();
    const { started } = collectHeld(queue, 1);
    await queue.send("shards", keyed("a", "b", "c"));
    await queue.send("ticks", keyed("definition"));
    await vi.waitFor(() => expect(started).toHaveLength(1), soon);
    await vi.waitFor(async () => {
      expect(await queue.health()).toEqual({
        shards: { queued: 2, active: 1, failed: 0 },
        ticks: { queued: 1, active: 0, failed: 0 },
      });
    }, soon);
  });

  test("what waits for a moment is not held up when the database's clock is set back", async () => {
    const queue = await startQueue({ maintenanceSeconds: 1 });
    await queue.send("shards", keyed("late"));
    await store.sql("update pgboss.job set start_after = start_after + interval '1 hour'");
    const claims = collect(queue);
    await store.sql("update pgboss.queue set monitor_claim_on = now() + interval '1 hour'");
    await vi.waitFor(() => expect(claims.map(({ key }) => key)).toEqual(["late"]), soon);
    await vi.waitFor(async () => {
      const ahead = await store.sql(
        "select name from pgboss.queue where monitor_claim_on > now() + interval '1 minute'",
      );
      expect(ahead).toEqual([]);
    }, soon);
  });

  test("completed messages are deleted after their time", async () => {
    const queue = await startQueue({ maintenanceSeconds: 1, keepCompletedSeconds: 1 });
    const claims = collect(queue);
    await queue.send("shards", keyed("a", "b"));
    await vi.waitFor(() => expect(claims).toHaveLength(2), soon);
    await vi.waitFor(async () => expect(await jobs()).toEqual([]), failover);
  });

  async function startQueue(tuning: Partial<QueueTuning> = {}): Promise<WorkQueue> {
    const quiet = { warn() {}, error() {} };
    const queue = createWorkQueue({ database: store.database, logger: quiet, tuning });
    open.push(queue);
    await queue.start();
    return queue;
  }

  /** What the product does with a claim: settle it in the transaction of its effect. */
  async function settle(claim: Claim): Promise<void> {
    await store.transaction(async (transaction, sql) => {
      await claim.settle(transaction);
      await sql("insert into notes values (?)", [claim.key]);
    });
  }

  function collect(queue: WorkQueue, name: "ticks" | "shards" = "shards"): Claim[] {
    const claims: Claim[] = [];
    queue.run(name, 4, async (claim) => {
      claims.push(claim);
      await settle(claim);
    });
    return claims;
  }

  /** Handlers that wait for `release`, whatever their signal says, and then try to settle. */
  function collectHeld(
    queue: WorkQueue,
    slots: number,
    alsoInTransaction: (transaction: Transaction) => Promise<void> = async () => {},
  ) {
    const started: Claim[] = [];
    const results: unknown[] = [];
    const gate = Promise.withResolvers<void>();
    queue.run("shards", slots, async (claim) => {
      started.push(claim);
      await gate.promise;
      try {
        await store.transaction(async (transaction) => {
          await claim.settle(transaction);
          await alsoInTransaction(transaction);
        });
        results.push("settled");
      } catch (error) {
        results.push(error);
        throw error;
      }
    });
    return { started, results, release: () => gate.resolve() };
  }

  async function rolledBack(
    work: (transaction: Transaction) => Promise<void>,
    rethrow = false,
  ): Promise<void> {
    const rollback = new Error("roll back");
    const attempt = store.transaction(async (transaction) => {
      await work(transaction);
      throw rollback;
    });
    if (rethrow) return attempt;
    await expect(attempt).rejects.toBe(rollback);
  }

  /** What pg-boss's supervisor does to a claim without heartbeats. */
  async function takeAway(claim: Claim): Promise<void> {
    await store.sql("update pgboss.job set state = 'retry' where id = ?", [claim.id]);
  }

  const notes = async () =>
    (await store.sql("select text from notes order by text")).map((row) => row["text"]);

  const jobs = (state = "%") =>
    store.sql(
      `select id, singleton_key as key, extract(epoch from heartbeat_on) as heartbeat
       from pgboss.job where state::text like ?`,
      [state],
    );
});

test("a node lives on beside one that is set to a shorter heartbeat", async () => {
  await using store = await postgresQueueDatabase();
  const tunings = [{ heartbeatSeconds: 60 }, { heartbeatSeconds: 2, touchMs: 50 }];
  const [patient, hasty] = tunings.map((tuning) =>
    createWorkQueue({ database: store.database, logger: { warn() {}, error() {} }, tuning }),
  );
  if (patient === undefined || hasty === undefined) throw new Error("expected two nodes");
  await patient.start();
  const claims: Claim[] = [];
  patient.run("shards", 1, async (claim) => {
    claims.push(claim);
    await aborted(claim.signal, 30_000);
  });
  await patient.send("shards", keyed("a"));
  await vi.waitFor(() => expect(claims).toHaveLength(1), soon);
  await hasty.start();
  hasty.run("shards", 1, async (claim) => void claims.push(claim));

  await vi.waitFor(async () => {
    const old = "select 1 from pgboss.job where started_on < now() - interval '3 seconds'";
    expect(await store.sql(old)).toHaveLength(1);
  }, soon);
  await store.transaction((tx) => claims[0]?.hold(tx) ?? Promise.reject(new Error("no claim")));
  expect(claims).toHaveLength(1);
  await Promise.all([patient.stop(0), hasty.stop(0)]);
});

test("a call that can never be answered becomes an error instead of a hang", async () => {
  await using store = await pgliteQueueDatabase();
  const queue = createWorkQueue({ database: store.database, tuning: { callTimeoutMs: 200 } });
  await queue.start();
  // PGlite's only connection is held by the transaction, and the send goes around it.
  const stuck = store.transaction(() => queue.send("shards", keyed("a")));
  const error = await stuck.catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(DomainError);
  expect(error).toMatchObject({ code: "PORT_TIMEOUT" });
  await queue.stop(0);
});

test("on PGlite a start delivers again at once what its dead predecessor had claimed", async () => {
  await using store = await pgliteQueueDatabase();
  await using dead = await startPgliteQueue(store);
  const held: Claim[] = [];
  const released = Promise.withResolvers<void>();
  dead.queue.run("shards", 1, async (claim) => {
    held.push(claim);
    await released.promise;
    await store.transaction((transaction) => claim.settle(transaction));
  });
  await dead.queue.send("shards", [...keyed("a", "b"), { key: "a", body: { n: "second" } }]);
  await vi.waitFor(() => expect(held).toHaveLength(1), soon);

  await using next = await startPgliteQueue(store);
  const taken: Claim[] = [];
  next.queue.run("shards", 1, async (claim) => {
    taken.push(claim);
    await store.transaction((transaction) => claim.settle(transaction));
  });
  // Long before a heartbeat runs out.
  await vi.waitFor(() => expect(taken).toHaveLength(3), { timeout: 3_000 });
  expect(
    taken.filter(({ key }) => key === "a").map(({ body, attempt }) => [body, attempt]),
  ).toEqual([
    [{}, 1],
    [{ n: "second" }, 0],
  ]);
  await expect(
    store.transaction((tx) => held[0]?.settle(tx) ?? Promise.reject(new Error("nothing is held"))),
  ).rejects.toThrow(FencedError);
  released.resolve();
});

test("on PostgreSQL a start leaves the claims of other nodes alone", async () => {
  await using store = await postgresQueueDatabase();
  const first = createWorkQueue({ database: store.database });
  await first.start();
  const held: Claim[] = [];
  first.run("shards", 1, async (claim) => {
    held.push(claim);
    await aborted(claim.signal);
  });
  await first.send("shards", keyed("a"));
  await vi.waitFor(() => expect(held).toHaveLength(1), soon);
  const second = createWorkQueue({ database: store.database });
  await second.start();
  await store.transaction(
    (tx) => held[0]?.hold(tx) ?? Promise.reject(new Error("nothing is held")),
  );
  await Promise.all([first.stop(0), second.stop(0)]);
});

test("a database that cannot be reached is reported at the start", async () => {
  const queue = createWorkQueue({
    database: {
      kind: "postgres",
      connection: { connectionString: "postgresql://nobody@127.0.0.1:1/none" },
    },
    logger: { warn() {}, error() {} },
  });
  await expect(queue.start()).rejects.toMatchObject({
    code: "PORT_UNAVAILABLE",
    message: expect.stringContaining("ECONNREFUSED"),
  });
});

async function startPgliteQueue({ database }: QueueTestDatabase) {
  const queue = createWorkQueue({ database, logger: { warn() {}, error() {} } });
  await queue.start();
  return { queue, [Symbol.asyncDispose]: () => queue.stop(0) };
}

const keyed = (...keys: string[]) => keys.map((key) => ({ key, body: {} }));
const numberOf = ({ body: { n } }: Claim) => (typeof n === "string" ? n : "");
const numbered = (n: string) => ({ key: "one", body: { n } });

async function aborted(signal: AbortSignal, timeout = soon.timeout): Promise<void> {
  await vi.waitFor(() => expect(signal.aborted).toBe(true), { timeout });
}
