// Where the engine's own time goes: a profile's self time summed by what the code is for.
import type { Profiler } from "node:inspector";

/** Processor time by part, µs; the event loop's idle time is none of them. */
export type Breakdown = Record<string, number>;

const OTHER = "other";
const NATIVE = "native code without a caller";

const ROOT = new URL("..", import.meta.url).href;

/** Of paths from the root of the project. The first match counts, so the special stands before the general. */
const PARTS: readonly (readonly [RegExp, string])[] = [
  [/^bench\//, "the bench itself"],
  [/^src\/decisions\//, "decide"],
  [/^src\/domain\/ids|\/node_modules\/uuid\//, "ids"],
  [/^src\/engine\/envelope/, "snapshot: text, hash"],
  [/^src\/engine\/live-|\/node_modules\/@xstate\/store\//, "live view"],
  [/^src\/domain\/(orders|plan-|instrument|exposure|protections|trading)/, "orders, channel"],
  [/^src\/adapters\/paper-/, "orders, channel"],
  [/^src\/domain\/(analysis|market)|^src\/(agents|tools)\//, "analysis"],
  [/^src\/adapters\/(replay|bundled|candle)/, "analysis"],
  [/^src\/domain\/|\/node_modules\/decimal\.js\//, "ledger, valuation"],
  [/^machines\/|^src\/engine\/|\/node_modules\/xstate\//, "actor, shard host"],
  [/\/pg-boss/, "queue"],
  [/^src\/persistence\/|\/node_modules\/(@mikro-orm|kysely)\//, "SQL build"],
  [/\/node_modules\/@electric-sql\//, "embedded database"],
  [/\/node_modules\/(pg|pg-[a-z-]+)\//, "wire, driver"],
];

/** Code of Node itself is its caller's business; what it starts by itself is mostly sockets. */
const SOCKETS = /^node:(net|internal\/(stream|js_stream))/;

export function breakdownOf({ nodes, samples, timeDeltas }: Profiler.Profile): Breakdown {
  const parts = new Map<number, string>();
  const parents = new Map<number, number>();
  const byId = new Map(nodes.map((node) => [node.id, node]));
  for (const { id, children = [] } of nodes) for (const child of children) parents.set(child, id);
  const partOf = (id: number): string => {
    const known = parts.get(id);
    if (known !== undefined) return known;
    const parent = parents.get(id);
    const frame = byId.get(id)?.callFrame;
    const own = frame === undefined ? null : ownPartOf(frame);
    const part = own ?? (parent === undefined ? OTHER : partOf(parent));
    const found = part === OTHER && SOCKETS.test(frame?.url ?? "") ? "wire, driver" : part;
    parts.set(id, found);
    return found;
  };
  const sums: Breakdown = {};
  for (const [index, id] of (samples ?? []).entries()) {
    if (byId.get(id)?.callFrame.functionName === "(idle)") continue;
    const part = partOf(id);
    sums[part] = (sums[part] ?? 0) + (timeDeltas?.[index] ?? 0);
  }
  return sums;
}

function ownPartOf({ functionName, url }: Profiler.Profile["nodes"][number]["callFrame"]) {
  if (functionName === "(garbage collector)") return "garbage collection";
  if (functionName === "(program)") return NATIVE;
  const path = url.replace(ROOT, "");
  return PARTS.find(([pattern]) => pattern.test(path))?.[1] ?? null;
}
