import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, test } from "vitest";
import { type Failpoint, FAILPOINTS } from "#ports/failpoints.ts";
import { seededRandom } from "#support/random.ts";
import { emptyStore, type StoreKind } from "./support/crash-stores.ts";
import { KillTable } from "./support/kill-table.ts";
import { hourlyBars } from "./support/live-cast.ts";
import { beginLife, type LiveKill } from "./support/live-life.ts";

const SEED = Number(process.env["TROUPE_CRASH_SEED"] ?? 20_261_121);
/** How often the engine is killed, half of it on each database; 0: at every failpoint once, on one of them. */
const KILLS = Number(process.env["TROUPE_CRASH_KILLS"] ?? 0);
const KILLS_EACH = Math.ceil(KILLS / 2);
/** The share of the kills that are dealt out to the failpoints; the others come at any moment. */
const AT_FAILPOINTS = 0.8;

/** Where an order may be lost or doubled: its own failpoints, and the commits around it. */
const PLACES: readonly Failpoint[] = FAILPOINTS.filter(
  (name) =>
    name.startsWith("orders.") ||
    name === "journal.in-commit.all-written" ||
    name === "journal.after-commit",
);

const kinds: readonly StoreKind[] = ["pglite", "postgres"];
const table = new KillTable(PLACES, {
  seed: SEED,
  file: process.env["TROUPE_CRASH_ORDERS_REPORT"],
  left: "orders out",
});
let folder: string;
let replay: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "troupe-live-"));
  replay = join(folder, "BTC-USDT-1h.csv");
  await writeFile(replay, hourlyBars(20_000, SEED));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  table.print();
  table.write();
});

describe.each(kinds)("an engine with live orders on %s", (kind) => {
  test(
    "killed at every failpoint of an order and at any moment, loses none and doubles none",
    async ({ signal }) => {
      const random = seededRandom(SEED + kinds.indexOf(kind));
      await using store = await emptyStore(kind);
      await using life = await beginLife(store, { table, signal, replay, random });
      for (const kill of killsOn(kind, random)) await life.die(kill);
      await life.settle();
      await life.expectAgreement();
    },
    600_000 + KILLS * 20_000,
  );
});

// One of two is always there: it takes over shards, and orders that are out, from the one that dies.
test.runIf(KILLS > 0)(
  "two engines on one PostgreSQL, killed in turns, lose no order and double none",
  async ({ signal }) => {
    const random = seededRandom(SEED + kinds.length);
    await using store = await emptyStore("postgres");
    await using life = await beginLife(store, { table, signal, replay, random });
    const kills = killsOn("postgres", random).slice(0, Math.ceil(KILLS_EACH / 2));
    for (const [index, kill] of kills.entries()) {
      if (index % 3 === 0) await life.replaceCompanion();
      await life.die(kill);
    }
    await life.dismissCompanion();
    await life.settle();
    await life.expectAgreement();
  },
  600_000 + KILLS * 20_000,
);

function killsOn(kind: StoreKind, random: () => number): LiveKill[] {
  const places = KILLS > 0 ? PLACES : PLACES.filter((_, index) => isOwn(kind, index));
  const each = Math.max(1, Math.floor((KILLS_EACH * AT_FAILPOINTS) / PLACES.length));
  const foreseen = places.flatMap((failpoint) =>
    Array.from({ length: each }, () => ({ failpoint, occurrence: 1 + Math.floor(random() * 10) })),
  );
  const count = KILLS > 0 ? Math.max(0, KILLS_EACH - foreseen.length) : 1;
  const unforeseen = Array.from({ length: count }, () => ({ ms: Math.floor(random() * 2_000) }));
  return shuffled([...foreseen, ...unforeseen], random);
}

/** In the short version a place has its turn on one database; the embedded one takes longer to start. */
function isOwn(kind: StoreKind, index: number): boolean {
  return (index % 3 === 0) === (kind === "pglite");
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const keyed = items.map((item) => ({ item, key: random() }));
  return keyed.toSorted((one, other) => one.key - other.key).map(({ item }) => item);
}
