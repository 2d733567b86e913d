import { expect, test } from "vitest";
import { createAlertLog, loggedJournal, loggedStore, logStops } from "#engine/event-log.ts";
import { LiveStore, type LiveStrategy } from "#engine/live/live-store.ts";
import type { EngineStore, Journal, NewAlert, ScheduledDefinition } from "#ports/store.ts";

const HOUR = 3_600_000;

function recorder() {
  const lines: { level: string; message: string; detail: object }[] = [];
  const at = (level: string) => (detail: object, message: string) =>
    void lines.push({ level, message, detail });
  const logger = { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
  return {
    lines,
    logger,
    messages: () => lines.map(({ level, message }) => `${level}: ${message}`),
  };
}

function handTimer() {
  let now = 0;
  return { elapsed: () => now, after: () => Promise.resolve(), pass: (ms: number) => (now += ms) };
}

const alert = (kind: string, severity: NewAlert["severity"] = "error"): NewAlert => ({
  kind,
  severity,
  subject: "somebody",
  strategyId: null,
  message: `${kind} happened`,
  detail: {},
});

test("an alert is logged by its severity, and again when it still comes an hour later", () => {
  const { logger, messages } = recorder();
  const timer = handTimer();
  const tell = createAlertLog({ logger, timer });
  tell([alert("outage"), alert("late", "warning"), alert("outage")]);
  expect(messages()).toEqual(["error: alert: outage happened", "warn: alert: late happened"]);
  timer.pass(HOUR - 1);
  tell([alert("outage")]);
  expect(messages()).toHaveLength(2);
  timer.pass(1);
  tell([alert("outage")]);
  expect(messages()).toHaveLength(3);
});

test("the alerts of a commit are logged once it is durable, and not when it fails", async () => {
  const { logger, messages } = recorder();
  const tell = createAlertLog({ logger, timer: handTimer() });
  const commit = { alerts: [alert("stuck")] } as unknown as Parameters<Journal["commit"]>[0];
  const refused = loggedJournal({ commit: () => Promise.reject(new Error("no")) }, tell);
  await expect(refused.commit(commit)).rejects.toThrow("no");
  expect(messages()).toEqual([]);
  const stored = { version: 2, rosterVersion: 1, stored: [] };
  await loggedJournal({ commit: () => Promise.resolve(stored) }, tell).commit(commit);
  expect(messages()).toEqual(["error: alert: stuck happened"]);
});

test.each([
  [
    "as real time goes on",
    false,
    ["warn: ticks missed: only the newest is made up for", "warn: tick late"],
  ],
  ["but not in a replay, whose time stands still", true, []],
])("ticks that were missed or come late are logged %s", async (_name, simulated, expected) => {
  const { lines, logger, messages } = recorder();
  const scheduled = {
    definition: { id: "d", name: "hourly", periodMinutes: 60 },
    members: 1,
    lastScheduledFor: 10 * HOUR,
  } as unknown as ScheduledDefinition;
  const inner = {
    scheduledDefinitions: () => Promise.resolve([scheduled]),
    proposeTick: () => Promise.resolve("proposed"),
  } as unknown as EngineStore;
  const clock = { now: () => 14 * HOUR + 60_000, simulated };
  const store = loggedStore(inner, () => undefined, { clock, logger });
  await store.scheduledDefinitions();
  await store.proposeTick("d", 14 * HOUR);
  expect(messages()).toEqual(expected);
  if (!simulated) expect(lines[0]?.detail).toMatchObject({ definition: "hourly", missed: 3 });
});

test("a strategy that stops or runs again is logged, and one that stopped before is not", () => {
  const { logger, messages } = recorder();
  const live = new LiveStore();
  live.committed([strategy("old", "stopped", 1), strategy("one", "running", 1)]);
  logStops(live, logger);
  live.committed([strategy("old", "stopped", 2), strategy("one", "running", 2)]);
  expect(messages()).toEqual([]);
  live.committed([strategy("one", "stopped", 3)]);
  live.committed([strategy("one", "stopped", 4)]);
  live.committed([strategy("one", "running", 5), strategy("old", "running", 3)]);
  expect(messages()).toEqual([
    "info: strategy stopped",
    "info: strategy runs again",
    "info: strategy runs again",
  ]);
});

function strategy(strategyId: string, state: LiveStrategy["state"], seq: number): LiveStrategy {
  return {
    strategyId,
    definitionId: "d",
    shardId: "s",
    state,
    stopReason: state === "stopped" ? "normal_exit" : null,
    seq,
    cycleIndex: seq,
    lastCycleAt: null,
    totalValue: "1",
    cash: "1",
    realizedPnl: "0",
    unrealizedPnl: "0",
    lastStatus: null,
    lastSignal: null,
    inProgress: null,
  };
}
