// Any order of commands, on real engines and real databases, against a model of what must be true.
// `TROUPE_MODEL_RUNS` runs more of them, `TROUPE_MODEL_SEED` and `TROUPE_MODEL_PATH` one run again.
import fc from "fast-check";
import { test } from "vitest";
import { storeKinds } from "#support/test-store.ts";
import { casts, commandsOn, starts } from "./model/commands.ts";
import { World } from "./model/world.ts";
import { WorldModel } from "./model/world-model.ts";

const isLong = process.env["TROUPE_FAULTS"] === "all";
const RUNS = Number(process.env["TROUPE_MODEL_RUNS"] ?? (isLong ? 200 : 4));
const COMMANDS = isLong ? 30 : 14;
const seed = Number(
  process.env["TROUPE_MODEL_SEED"] ?? (isLong ? Date.now() % 2 ** 31 : 20_240_101),
);
const path = process.env["TROUPE_MODEL_PATH"];
const replayPath = process.env["TROUPE_MODEL_REPLAY_PATH"];
const MINUTE = 60_000;
/** Then it is enough, also of making a counterexample smaller. */
const LIMIT_MS = 3 * MINUTE + RUNS * 10_000;

test.each(storeKinds)(
  `whatever happens in whatever order, engines do what the model says (seed ${seed}), on %s`,
  async (kind) => {
    const commands = fc.commands(commandsOn(kind), {
      maxCommands: COMMANDS,
      size: "max",
      ...(replayPath === undefined ? {} : { replayPath }),
    });
    await fc.assert(
      fc.asyncProperty(casts, commands, async (cast, chosen) => {
        await using world = await World.open(kind);
        const all = [starts, ...cast, ...chosen];
        await fc.asyncModelRun(() => ({ model: new WorldModel(), real: world }), all);
      }),
      {
        seed,
        numRuns: RUNS,
        interruptAfterTimeLimit: LIMIT_MS,
        ...(path === undefined ? {} : { path }),
      },
    );
  },
  LIMIT_MS + MINUTE,
);
