import { hash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { sealAt, unseal } from "#engine/strategy/envelope.ts";
import type { SnapshotEnvelope } from "#domain/snapshot.ts";
import { longContext, pendingOrder } from "#support/strategy-situations.ts";

const genuine = sealAt({ value: "running", context: longContext() });

test("a sealed snapshot opens to what was sealed", () => {
  expect(unseal(genuine)).toEqual({ ok: true, value: "running", context: longContext() });
});

test("a field this build does not know is kept", () => {
  const context = { ...longContext(), note: "from a newer minor release" };
  expect(unseal(sealAt({ value: "running", context }))).toMatchObject({
    context: { note: context.note },
  });
});

test("an order in flight survives sealing to the last field", () => {
  const context = longContext({ pending: [pendingOrder] });
  expect(unseal(sealAt({ value: "executing", context }))).toEqual({
    ok: true,
    value: "executing",
    context,
  });
});

describe("a snapshot somebody changed is refused", () => {
  test("in its context", () => {
    const snapshot = genuine.snapshot.replace('"5795.8"', '"9795.8"');
    expect(reasonOf({ ...genuine, snapshot })).toBe("hash_mismatch");
  });

  test("in its white space", () => {
    expect(reasonOf({ ...genuine, snapshot: `${genuine.snapshot} ` })).toBe("hash_mismatch");
  });

  test("in its state", () => {
    expect(reasonOf({ ...genuine, value: "stopped" })).toBe("hash_mismatch");
  });

  test("in its version", () => {
    expect(reasonOf({ ...genuine, version: 0 })).toBe("hash_mismatch");
  });

  test("in its hash", () => {
    expect(reasonOf({ ...genuine, hash: genuine.hash.toUpperCase() })).toBe("hash_mismatch");
  });
});

test("a snapshot of another machine is refused", () => {
  expect(reasonOf({ ...genuine, machine: "template-group" })).toBe("unknown_machine");
});

test("a snapshot of a newer version is refused before its hash is read", () => {
  expect(reasonOf({ ...genuine, version: 3 })).toBe("unknown_version");
});

test("a snapshot of an older version without a migration is refused", () => {
  expect(reasonOf(forged({ version: 0 }))).toBe("unknown_version");
});

test("a snapshot that is no JSON is refused", () => {
  expect(reasonOf(forged({ snapshot: genuine.snapshot.slice(0, -1) }))).toBe("unreadable");
});

test.each(["null", "[]", "{}", '{"value":"running"}'])(
  "a snapshot without a context is refused: %s",
  (snapshot) => expect(reasonOf(forged({ snapshot }))).toBe("unreadable"),
);

test("a snapshot of another state than its envelope names is refused", () => {
  const { snapshot } = sealAt({ value: "stopped", context: longContext() });
  expect(reasonOf(forged({ snapshot }))).toBe("unreadable");
});

test("a state no version knows is refused, although its hash is right", () => {
  const snapshot = genuine.snapshot.replace('"value":"running"', '"value":"dreaming"');
  expect(unseal(forged({ value: "dreaming", snapshot }))).toMatchObject({
    ok: false,
    reason: "invalid",
    detail: expect.stringContaining("dreaming"),
  });
});

describe("a context of the wrong shape is refused, although its hash is right", () => {
  const broken: { says: string; context: unknown; path: string }[] = [
    { says: "no object", context: null, path: "" },
    { says: "an empty list of pending orders", context: changed({ pending: [] }), path: "pending" },
    { says: "no ledger", context: without("ledger"), path: "ledger" },
    { says: "no stop", context: without("stop"), path: "stop" },
    { says: "money as a number", context: inLedger({ cash: 5795.8 }), path: "ledger.cash" },
    { says: "money in exponents", context: inLedger({ cash: "5e3" }), path: "ledger.cash" },
    { says: "money that is no number", context: inLedger({ cash: "NaN" }), path: "ledger.cash" },
    { says: "an unknown market", context: inLedger({ marketType: "options" }), path: "marketType" },
    { says: "half a trade", context: inLedger({ totalTrades: 0.5 }), path: "ledger.totalTrades" },
    { says: "a cycle before the first", context: changed({ cycleIndex: -1 }), path: "cycleIndex" },
    { says: "a time as text", context: changed({ lastTickFor: "now" }), path: "lastTickFor" },
    {
      says: "a position without a quantity",
      context: inLedger({ positions: { "BTC-USDT": { symbol: "BTC-USDT" } } }),
      path: "quantity",
    },
    {
      says: "a pending order without an id",
      context: changed({ pending: [{ symbol: "BTC-USDT" }] }),
      path: "instructionId",
    },
  ];

  test.each(broken)("$says", ({ context, path }) => {
    const snapshot = JSON.stringify({ ...JSON.parse(genuine.snapshot), context });
    const opened = unseal(forged({ snapshot }));
    expect(opened).toMatchObject({ ok: false, reason: "invalid" });
    expect(opened).toHaveProperty("detail", expect.stringContaining(path));
  });
});

/** A genuine snapshot with `changes`, hashed anew by somebody who knows how. */
function forged(changes: Partial<SnapshotEnvelope>): SnapshotEnvelope {
  const envelope = { ...genuine, ...changes };
  const { machine, version, value, snapshot } = envelope;
  return { ...envelope, hash: hash("sha256", `${machine}\n${version}\n${value}\n${snapshot}`) };
}

function reasonOf(envelope: SnapshotEnvelope): string {
  const opened = unseal(envelope);
  return opened.ok ? "opened" : opened.reason;
}

function without(key: keyof ReturnType<typeof longContext>): object {
  const { [key]: _, ...rest } = longContext();
  return rest;
}

function changed(changes: object): object {
  return { ...longContext(), ...changes };
}

function inLedger(changes: object): object {
  return { ...longContext(), ledger: { ...longContext().ledger, ...changes } };
}
