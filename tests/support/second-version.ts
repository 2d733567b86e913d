import type { JsonObject } from "#domain/json.ts";
import { storedMachines, type StoredMachine, type StoredSnapshot } from "#machines/registry.ts";

const { strategy } = storedMachines;

/**
 * A version of the strategy's snapshots that nobody released: it says who brought a decision state up
 * to it. A first version with the decision state `{ "cursed": true }` cannot be brought up.
 */
export const secondVersion: StoredMachine = {
  ...strategy,
  version: strategy.version + 1,
  migrations: { ...strategy.migrations, [strategy.version]: bringUp },
};

function bringUp({ value, context }: StoredSnapshot): StoredSnapshot {
  if (!strategy.isContext(context)) throw new Error(strategy.problems(context));
  const before: JsonObject = context.decisionState ?? {};
  if (before["cursed"] === true) throw new Error("it is cursed");
  return { value, context: { ...context, decisionState: { ...before, broughtUp: true } } };
}
