import { expect, test } from "vitest";
import { createChannelRegistry } from "#adapters/channel-registry.ts";
import { tickIdOf } from "#domain/ids.ts";
import { failCycle, finishCycle, openCycle } from "#engine/strategy/cycle.ts";
import { bundledDefinitions } from "#services/bundled-definitions.ts";
import { fillOf, fold, ledgerOf, quoteOf, T0 } from "#support/domain-kit.ts";

const SYMBOL = "BTC/USDT";
const ERROR = { code: "PORT_TIMEOUT", message: "no decision within 30000 ms" };

test("a stop loss that is reached sells although there is no decision (I12)", async () => {
  const { recorded, cycle } = await finishCycle(openAt("89"), { error: ERROR });
  expect(cycle).toMatchObject({ status: "failed", error: ERROR, decision: null });
  expect(cycle.instructions).toMatchObject([{ action: "close_long", status: "filled" }]);
  expect(recorded.ledger.positions).toEqual({});
  expect(recorded.protections).toEqual([]);
});

test("without a decision nothing is traded while no protection is reached", async () => {
  const { recorded, cycle } = await finishCycle(openAt("95"), { error: ERROR });
  expect(cycle.instructions).toEqual([]);
  expect(Object.keys(recorded.ledger.positions)).toEqual([SYMBOL]);
  expect(recorded.protections).toHaveLength(1);
});

test("a cycle that cannot execute keeps the exits that came before it (I12)", () => {
  const { cycle, recorded } = failCycle(openAt("89"), ERROR);
  expect(cycle.instructions).toMatchObject([{ action: "close_long", status: "filled" }]);
  expect(recorded.ledger.positions).toEqual({});
});

/** One bitcoin bought at 100 with a stop at 90, seen at `price`. */
function openAt(price: string) {
  const definition = bundledDefinitions.find(({ name }) => name === "momentum_regime_btc_daily");
  if (definition === undefined) throw new Error("no such definition");
  const bought = fillOf("BUY", "1", { symbol: SYMBOL, price: "100" });
  const { ledger } = fold(ledgerOf("spot"), [bought]);
  const scheduledFor = T0 + 86_400_000;
  return openCycle({
    context: {
      strategyId: "00000000-0000-4000-8000-000000000001",
      ledger,
      decisionState: null,
      protections: [{ symbol: SYMBOL, stopLoss: "90", takeProfit: null }],
      cycleIndex: 1,
      lastTickFor: T0,
      pending: null,
      stop: null,
    },
    definition,
    channel: createChannelRegistry().get(definition.tradeChannel),
    tick: {
      id: tickIdOf(definition.id, scheduledFor),
      definitionId: definition.id,
      scheduledFor,
      previousFor: T0,
      status: "running",
    },
    cause: "tick",
    market: {
      at: scheduledFor,
      quotes: { [SYMBOL]: quoteOf(SYMBOL, price, { at: scheduledFor, barVolume: "1000" }) },
      funding: [],
      facts: {},
    },
    paramsVersion: 1,
    startedAt: 0,
  });
}
