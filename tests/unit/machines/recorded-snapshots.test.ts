import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { createActor } from "xstate";
import { z } from "zod";
import { sealAt, unseal } from "#engine/strategy/envelope.ts";
import type { SnapshotEnvelope } from "#domain/snapshot.ts";
import { storedMachines } from "#machines/registry.ts";
import { strategyMachine, type StrategyContext } from "#machines/strategy.machine.ts";
import { secondVersion } from "#support/second-version.ts";
import {
  DECIDED,
  observedActor,
  pendingOrder,
  recorded,
  stopWith,
  tickAt,
  type ObservedActor,
} from "#support/strategy-situations.ts";

const common = { machine: z.string(), version: z.int(), value: z.string(), hash: z.string() };
const envelopeShape = z.union([
  z.strictObject({ ...common, snapshot: z.string() }),
  // The first version stored the context alone, under that name.
  z
    .strictObject({ ...common, version: z.literal(1), context: z.string() })
    .transform(({ context, ...rest }) => ({ ...rest, snapshot: context })),
]);
const fixture = z.record(z.string(), envelopeShape);

// Snapshots as released versions stored them. They are never edited; a new version adds a file.
const { version: current } = storedMachines.strategy;
const versions = Array.from({ length: current }, (_, index) => index + 1);
const snapshots = versions.flatMap((version) =>
  Object.entries(recordedBy(version)).map(([situation, envelope]) => ({
    says: `${situation} (version ${version})`,
    version,
    envelope,
  })),
);

const NEXT_TICK = Date.UTC(2030, 0, 1);

test.each(versions)("snapshots of version %i are recorded for every state that is stored", (v) => {
  const stored = new Set(Object.values(recordedBy(v)).map(({ value }) => value));
  expect(stored).toEqual(new Set(["running", "stopped", "cancelled", "executing"]));
  expect(Object.values(recordedBy(v)).every(({ version }) => version === v)).toBe(true);
});

describe.each(snapshots)("a recorded snapshot: $says", ({ version, envelope }) => {
  test("still opens", () => {
    expect(unseal(envelope)).toMatchObject({ ok: true, value: envelope.value });
  });

  test.runIf(version === current)("is sealed to the same text again", () => {
    expect(sealAt(opened(envelope))).toEqual(envelope);
  });

  test.runIf(version > 1)("is a snapshot that XState itself restores", () => {
    const actor = createActor(strategyMachine, {
      snapshot: JSON.parse(envelope.snapshot),
      input: opened(envelope).context,
    });
    actor.start();
    const { status, value, context } = actor.getSnapshot();
    expect({ status, value, context }).toEqual({ status: "active", ...opened(envelope) });
  });

  test("is restored where it stood, asking for nothing", () => {
    const actor = restored(envelope);
    expect(actor.stand()).toEqual({ status: "active", ...opened(envelope) });
    expect(actor.asked).toEqual([]);
  });

  test("steps through a whole cycle and stops", () => {
    const actor = restored(envelope);
    const { context } = opened(envelope);
    bringToRunning(actor, context);
    actor.send(tickAt(NEXT_TICK));
    actor.send(DECIDED);
    expect(actor.stand().value).toBe("executing");
    const cycles = actor.stand().context.cycleIndex;
    const next = { ...settled(context), cycleIndex: cycles + 1, lastTickFor: NEXT_TICK };
    actor.send(recorded(next));
    expect(actor.stand()).toEqual({ status: "active", value: "running", context: next });
    actor.send(stopWith(false));
    expect(actor.stand().value).toBe("stopped");
  });
});

describe("in a build of a version to come, with a migration", () => {
  test.each(snapshots)("it opens, brought up, and steps: $says", ({ envelope }) => {
    const result = unseal(envelope, secondVersion);
    if (!result.ok) throw new Error(result.detail);
    const { value, context } = result;
    const before = opened(envelope);
    const decisionState = { ...before.context.decisionState, broughtUp: true };
    expect(result).toEqual({
      ok: true,
      value: before.value,
      context: { ...before.context, decisionState },
    });
    const actor = observedActor(context, { value, context });
    bringToRunning(actor, context);
    actor.send(tickAt(NEXT_TICK));
    expect(actor.stand().value).toBe("composing");
    const sealed = sealAt({ value, context }, secondVersion);
    expect(sealed.version).toBe(current + 1);
    expect(unseal(sealed, secondVersion)).toEqual(result);
    expect(unseal(sealed)).toMatchObject({ ok: false, reason: "unknown_version" });
  });

  test("without the migration it is refused", () => {
    const refused = snapshots.map(({ envelope }) =>
      unseal(envelope, { ...secondVersion, migrations: {} }),
    );
    expect(new Set(refused.map((result) => !result.ok && result.reason))).toEqual(
      new Set(["unknown_version"]),
    );
  });
});

describe("the recorded order in flight", () => {
  const executing = snapshots.filter(({ envelope }) => envelope.value === "executing");

  test.each(executing)("is still known after a restart: $says", ({ envelope }) => {
    const pending = opened(envelope).context.pending ?? [];
    expect(pending.map(({ status }) => status)).toEqual(["pending"]);
    expect(Object.keys(pending[0] ?? {})).toEqual(
      expect.arrayContaining(Object.keys(pendingOrder)),
    );
  });

  test.each(executing)("keeps the strategy from being cancelled: $says", ({ envelope }) => {
    const actor = restored(envelope);
    actor.send({ type: "CANCEL", reason: "shutdown" });
    expect(actor.stand().value).toBe("executing");
  });

  test.each(executing)("carries out the remembered stop: $says", ({ envelope }) => {
    const actor = restored(envelope);
    const { context } = opened(envelope);
    actor.send(recorded(settled(context), { cause: "order", tickFor: null }));
    expect(actor.stand().value).toBe("executing");
    expect(actor.asked).toEqual(["close"]);
    actor.send(recorded(settled(context), { cause: "stop", tickFor: null }));
    expect(actor.stand()).toMatchObject({ value: "stopped", context: { stop: null } });
  });
});

function recordedBy(version: number): Record<string, SnapshotEnvelope> {
  const file = new URL(`../../fixtures/snapshots/strategy.v${version}.json`, import.meta.url);
  return fixture.parse(JSON.parse(readFileSync(file, "utf8")));
}

function opened(envelope: SnapshotEnvelope) {
  const result = unseal(envelope);
  if (!result.ok) throw new Error(`${result.reason}: ${result.detail}`);
  return { value: result.value, context: result.context };
}

function restored(envelope: SnapshotEnvelope): ObservedActor {
  const at = opened(envelope);
  return observedActor(at.context, at);
}

function bringToRunning(actor: ObservedActor, context: StrategyContext): void {
  if (actor.stand().value === "executing")
    actor.send(recorded(settled(context), { cause: "stop" }));
  if (actor.stand().value !== "running") actor.send({ type: "RESUME" });
  expect(actor.stand().value).toBe("running");
}

function settled(context: StrategyContext): StrategyContext {
  return { ...context, pending: null, stop: null };
}
