// Everything that can befall a troupe, as commands for fast-check: done to the model and to the real
// thing, which must agree afterwards.
import fc from "fast-check";
import { WORK_FAILPOINTS, type Failpoint } from "#ports/failpoints.ts";
import type { StoreKind } from "#support/test-store.ts";
import { adopt, expectAgreement, isAgreed } from "./comparison.ts";
import { creations, edits, resumes, step, stops, type Request } from "./requests.ts";
import type { WorldModel } from "./world-model.ts";
import type { Fate, World } from "./world.ts";

type Command = fc.AsyncCommand<WorldModel, World>;

const MOST_NODES = 2;
const POLL_MS = 10;

/** Where an engine at work can die; the desk, which is never killed here, passes the others. */
const DEATHS = WORK_FAILPOINTS.filter((name) => !/^(?:boot|shutdown|control)\./.test(name));
/** With work in its hands, and not inside a transaction, whose rows others would wait for. */
const FREEZES: readonly Failpoint[] = [
  "tick.analysed",
  "fanout.shard-taken",
  "decision.after",
  "journal.before-commit",
  "stop.before-commit",
];

const ordinary = (request: Request): Command => ({
  check: (model) => request.isPossible(model),
  async run(model, world) {
    await request.ofWorld(world, model);
    model.settle();
    await expectAgreement(world, model);
  },
  toString: () => request.says,
});

/** A request, and an engine that dies or freezes over it; a failpoint that is not passed is no matter. */
const fatal = (node: number | "whoever", fate: Fate, request: Request): Command => ({
  check: (model) =>
    model.active.length > 0 &&
    request.isPossible(model) &&
    (fate.what === "crash" || model.active.length > 1),
  async run(model, world) {
    const doomed = node === "whoever" ? [...model.active] : [nodeAt(model, node)];
    world.doom(doomed, { ...fate });
    await request.ofWorld(world, model);
    const calm = model.copy();
    calm.settle();
    const met = () => doomed.find((name) => world.hasMetFate(name));
    while (met() === undefined && !(await isAgreed(world, calm))) await pause();
    const isCalm = met() === undefined;
    const name = met() ?? doomed[0] ?? "";
    world.spare(doomed);
    if (fate.what === "freeze") {
      if (isCalm) world.freeze(name);
      model.freeze(name);
    } else {
      world.crash(name);
      model.lose(name);
    }
    await world.letClaimsExpire();
    if (isCalm) model.state = { ...calm.state, nodes: model.state.nodes };
    else if (model.active.length === 0) await adopt(world, model);
    model.settle();
    await expectAgreement(world, model);
  },
  toString: () =>
    `${request.says} with ${fate.what} of engine ${node} at ${fate.failpoint}:${fate.occurrence}`,
});

/** Of two engines the one with the work in hand freezes, the other does it, and the first wakes up. */
const pauses = (fate: Fate, request: Request): Command => {
  const freezes = fatal("whoever", fate, request);
  return {
    check: (model) =>
      model.active.length > 0 && model.frozen.length === 0 && request.isPossible(model),
    async run(model, world) {
      if (model.active.length < 2) await starts.run(model, world);
      await freezes.run(model, world);
      await thaws.run(model, world);
    },
    toString: () => `${String(freezes)}, Thaw`,
  };
};

export const starts: Command = {
  check: ({ state }) => Object.keys(state.nodes).length < MOST_NODES,
  async run(model, world) {
    const name = model.join();
    await world.letClaimsExpire();
    await world.start(name);
    model.settle();
    await expectAgreement(world, model);
  },
  toString: () => "Start",
};

const leaves = (node: number): Command => ({
  check: (model) => model.active.length > 0,
  async run(model, world) {
    const name = nodeAt(model, node);
    await world.leave(name);
    const running = await world.rows("select id from strategies where state = 'running'");
    model.leave(name, new Set(running.map(({ id }) => String(id))));
    await expectAgreement(world, model);
  },
  toString: () => `Leave(${node})`,
});

const crashes = (node: number): Command => ({
  check: (model) => model.active.length > 0,
  async run(model, world) {
    const name = nodeAt(model, node);
    world.crash(name);
    model.lose(name);
    await expectAgreement(world, model);
  },
  toString: () => `Crash(${node})`,
});

const thaws: Command = {
  check: (model) => model.frozen.length > 0,
  async run(model, world) {
    const [name = ""] = model.frozen;
    model.thaw(name);
    await world.thaw(name);
    model.settle();
    await expectAgreement(world, model);
  },
  toString: () => "Thaw",
};

/** Who is there from the beginning. */
export const casts = fc.array(creations.map(ordinary), { minLength: 1, maxLength: 3 });

/** What can happen on that database; only one engine at a time can have PGlite. */
export function commandsOn(kind: StoreKind): fc.Arbitrary<Command>[] {
  const node = fc.nat({ max: kind === "postgres" ? MOST_NODES - 1 : 0 });
  const fate = (what: Fate["what"], failpoints: readonly Failpoint[]) =>
    fc.record<Fate>({
      what: fc.constant(what),
      failpoint: fc.constantFrom(...failpoints),
      occurrence: fc.integer({ min: 1, max: what === "crash" ? 3 : 2 }),
    });
  const interrupted = fc.oneof(
    { weight: 3, arbitrary: fc.constant(step) },
    { weight: 1, arbitrary: stops },
    { weight: 1, arbitrary: resumes },
  );
  const alone: fc.Arbitrary<Command>[] = [
    fc.constant(ordinary(step)),
    fc.constant(ordinary(step)),
    creations.map(ordinary),
    edits.map(ordinary),
    stops.map(ordinary),
    resumes.map(ordinary),
    fc.constant(onlyOn(kind, starts)),
    node.map(leaves),
    node.map(crashes),
    fc.tuple(node, fate("crash", DEATHS), interrupted).map((given) => fatal(...given)),
    fc.tuple(node, fate("crash", DEATHS), interrupted).map((given) => fatal(...given)),
  ];
  if (kind === "pglite") return alone;
  const freezing = fc.tuple(node, fate("freeze", FREEZES), interrupted);
  const frozen = freezing.map((given) => fatal(...given));
  const pausing = fc
    .tuple(fate("freeze", FREEZES), interrupted)
    .map(([given, request]) => pauses({ ...given, occurrence: 1 }, request));
  return [...alone, fc.constant(starts), frozen, fc.constant(thaws), pausing, pausing];
}

/** Some engine that can work, whatever the number. */
function nodeAt({ active }: Pick<WorldModel, "active">, node: number): string {
  return active[node % active.length] ?? "";
}

function onlyOn(kind: StoreKind, command: Command): Command {
  if (kind === "postgres") return command;
  return { ...command, check: (model) => Object.keys(model.state.nodes).length === 0 };
}

const pause = () => new Promise((resolve) => setTimeout(resolve, POLL_MS));
