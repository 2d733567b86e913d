// What the database itself can take: the journal's own statements with parameters prepared beforehand,
// sent by the bare driver. Nothing of the engine runs.
import type { PGlite } from "@electric-sql/pglite";
import pg from "pg";
import { membersParams, storeMembers } from "#persistence/hot/cycle-rows.ts";
import { moveVersion } from "#persistence/hot/journal.ts";
import type { Forge } from "./forge.ts";
import type { RecordedCommit } from "./recorder.ts";

export interface RawRun {
  cycles: number;
  ms: number;
}

/** A connection that runs one statement at a time. */
export interface RawConnection {
  rows(text: string): Promise<Record<string, unknown>[]>;
  run(text: string, params?: unknown[]): Promise<void>;
  close(): Promise<void>;
}

interface Prepared {
  shardId: string;
  cycles: number;
  params: string[];
}

export async function connectPostgres(url: string): Promise<RawConnection> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return {
    rows: async (text) => (await client.query<Record<string, unknown>>(text)).rows,
    run: async (text, params) => void (await client.query(text, params)),
    close: () => client.end(),
  };
}

export function connectPglite(pglite: PGlite): RawConnection {
  return {
    rows: async (text) => (await pglite.query<Record<string, unknown>>(text)).rows,
    run: async (text, params) => void (await pglite.query(text, params)),
    close: () => Promise.resolve(),
  };
}

/** Stores the commits once more, each in one transaction, never two of a shard at a time. */
export async function writeRaw(
  connections: readonly RawConnection[],
  commits: readonly RecordedCommit[],
  forge: Forge,
): Promise<RawRun> {
  const versions = await readVersions(connections);
  const waiting = commits.map((commit) => prepare(forge.commit(commit)));
  const busy = new Set<string>();
  const takeFree = (): Prepared | undefined => {
    const index = waiting.findIndex(({ shardId }) => !busy.has(shardId));
    return index === -1 ? undefined : waiting.splice(index, 1)[0];
  };
  const work = async (connection: RawConnection): Promise<void> => {
    for (let next = takeFree(); next !== undefined; next = takeFree()) {
      busy.add(next.shardId);
      await writeOne(connection, next, versions);
      busy.delete(next.shardId);
    }
  };
  const startedAt = performance.now();
  await Promise.all(connections.map(work));
  const ms = performance.now() - startedAt;
  if (waiting.length > 0) throw new Error(`${waiting.length} commits were not written`);
  return { cycles: commits.reduce((sum, { writes }) => sum + writes.length, 0), ms };
}

function prepare({ shardId, writes }: RecordedCommit): Prepared {
  return { shardId, cycles: writes.length, params: membersParams(writes) };
}

async function readVersions([connection]: readonly RawConnection[]): Promise<Map<string, number>> {
  const rows = (await connection?.rows("select id, version from shards")) ?? [];
  return new Map(rows.map(({ id, version }) => [String(id), Number(version)]));
}

async function writeOne(
  connection: RawConnection,
  { shardId, cycles, params }: Prepared,
  versions: Map<string, number>,
): Promise<void> {
  const version = versions.get(shardId) ?? 0;
  await connection.run("begin");
  await connection.run(moveVersion, [shardId, version, null, true, cycles, 0]);
  await connection.run(storeMembers, params);
  await connection.run("commit");
  versions.set(shardId, version + 1);
}
