// Many strategies of one template, one of them of the role "odd one", as a first tick left them; each
// copy of their database can be broken in its own way.
import { openDatabase } from "#persistence/database.ts";
import { createPostgresDatabase } from "#support/databases.ts";
import { type Decide, type EngineOptions, startEngine } from "#support/engine.ts";
import { openTestStore, type StoreKind, type TestStore } from "#support/test-store.ts";

export const ODD = "odd one";

export interface Herd extends AsyncDisposable {
  readonly size: number;
  /** The strategy of the role "odd one". */
  readonly odd: string;
  /** A database of its own; nobody has it open. */
  copy(): Promise<TestStore>;
}

export interface HerdOptions {
  size: number;
  shardSize: number;
  decide: Decide;
}

export async function openHerd(
  kind: StoreKind,
  { size, shardSize, decide }: HerdOptions,
): Promise<Herd> {
  const store = await openTestStore(kind);
  const options: EngineOptions = { decisions: { decide }, shardSize };
  const troupe = await startEngine(store, options);
  const roles = Array.from({ length: size }, (_, n) => (n === size >> 1 ? ODD : "sibling"));
  const ids = await troupe.create(await troupe.define({ decisionAgent: "decide" }), ...roles);
  const at = troupe.clock.step();
  await troupe.closed(at, 60_000);
  await troupe.stop();
  const shared = { size, odd: ids[size >> 1] ?? "" };
  const { pglite } = store.database;
  if (pglite !== undefined) {
    const dump = await pglite.dumpDataDir("none");
    await store[Symbol.asyncDispose]();
    const copy = async (): Promise<TestStore> => {
      const options = { kind: "pglite", dataDir: "memory://", loadDataDir: dump } as const;
      const database = await openDatabase(options);
      return { ...store, database, [Symbol.asyncDispose]: () => database.close() };
    };
    return { ...shared, copy, [Symbol.asyncDispose]: async () => undefined };
  }
  // A template must not be in use.
  await store.database.close();
  const template = new URL(store.url ?? "").pathname.slice(1);
  const copy = async (): Promise<TestStore> => {
    const resources = new AsyncDisposableStack();
    const { url } = resources.use(await createPostgresDatabase(template));
    const database = resources.use(await openDatabase({ kind: "postgres", url }));
    return { ...store, url, database, [Symbol.asyncDispose]: () => resources.disposeAsync() };
  };
  return { ...shared, copy, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
}
