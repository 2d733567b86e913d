// What is asked of the desk, or time passing: what engines have to react to. Asked of both, the model
// and the real thing; who carries it out, and when, is not said here.
import fc from "fast-check";
import { expect } from "vitest";
import { DomainError } from "#domain/errors.ts";
import { paramsOf, SIZES, STYLE_NAMES, type Manner } from "./script.ts";
import type { Market } from "./money-model.ts";
import {
  BALANCE,
  MARKETS,
  type ModelStrategy,
  type Outcome,
  type WorldModel,
} from "./world-model.ts";
import type { World } from "./world.ts";

const MOST_STRATEGIES = 5;
const actor = "test";

export interface Request {
  says: string;
  isPossible(model: Pick<WorldModel, "state">): boolean;
  ofWorld(world: World, model: WorldModel): Promise<void>;
}

export const step: Request = {
  says: "Step",
  isPossible: () => true,
  async ofWorld(world, model) {
    model.step();
    world.step();
  },
};

const manner = fc.record<Manner>({
  style: fc.constantFrom(...STYLE_NAMES),
  size: fc.constantFrom(...SIZES),
});
/** Taken modulo how many strategies there are. */
const seat = fc.nat({ max: MOST_STRATEGIES - 1 });

export const creations: fc.Arbitrary<Request> = fc
  .tuple(fc.constantFrom<Market>(...MARKETS), manner)
  .map(([market, wanted]) => ({
    says: `Create(${market}, ${wanted.style} ${wanted.size})`,
    isPossible: ({ state }) => state.strategies.length < MOST_STRATEGIES,
    async ofWorld(world, model) {
      const { id: userId } = await world.services.localUser();
      const request = { name: wanted.style, initialBalance: BALANCE, params: paramsOf(wanted) };
      const definition = world.definition(market);
      const owner = { userId, actor };
      const [id = ""] = await world.services.strategies.createAll(definition, owner, [request]);
      const { shardId } = await world.services.strategies.get(id);
      model.create({ id, shardId, market, manner: wanted });
    },
  }));

export const edits: fc.Arbitrary<Request> = fc.tuple(seat, manner).map(([n, wanted]) => ({
  ...ofSomebody(n, `Edit(${n}, ${wanted.style} ${wanted.size})`),
  async ofWorld(world, model) {
    const strategy = picked(model, n);
    const { params, paramsVersion } = await world.services.strategies.get(strategy.id);
    const current = { definition: world.definition(strategy.market), params, paramsVersion };
    const edit = { actor, params: paramsOf(wanted) };
    model.edit(strategy, wanted);
    const version = await world.services.strategies.update(strategy.id, edit, current);
    expect(version).toBe(strategy.paramsVersion);
  },
}));

export const stops: fc.Arbitrary<Request> = fc
  .tuple(seat, fc.boolean())
  .map(([n, closePositions]) => ({
    ...ofSomebody(n, `Stop(${n}${closePositions ? "" : ", keeping positions"})`),
    async ofWorld(world, model) {
      const strategy = picked(model, n);
      const expected = model.askStop(strategy, closePositions);
      const request = { closePositions, reason: "asked by the test", actor };
      const outcome = outcomeOf(world.services.strategies.stop(strategy.id, request));
      expect(await outcome, `stop of ${strategy.id}`).toBe(expected);
    },
  }));

export const resumes: fc.Arbitrary<Request> = seat.map((n) => ({
  ...ofSomebody(n, `Resume(${n})`),
  async ofWorld(world, model) {
    const strategy = picked(model, n);
    const expected = model.askResume(strategy);
    const outcome = outcomeOf(world.services.strategies.resume(strategy.id, { actor }));
    expect(await outcome, `resume of ${strategy.id}`).toBe(expected);
  },
}));

function ofSomebody(n: number, says: string): Pick<Request, "says" | "isPossible"> {
  return { says, isPossible: ({ state }) => state.strategies.length > n };
}

function picked({ state }: WorldModel, n: number): ModelStrategy {
  const strategy = state.strategies[n];
  if (strategy === undefined) throw new Error(`no strategy ${n}`);
  return strategy;
}

async function outcomeOf(answer: Promise<{ outcome: Outcome }>): Promise<Outcome> {
  try {
    return (await answer).outcome;
  } catch (error) {
    if (error instanceof DomainError && error.code === "INVALID_TRANSITION") return error.code;
    throw error;
  }
}
