// Catches a lone engine in the midst of a tick: halted while it holds a shard whose work is not committed.
import { expect, vi } from "vitest";
import type { Query } from "#support/invariants.ts";
import type { Player } from "./crew.ts";

/** Ways to fall silent without dying. */
export const SILENCES = {
  frozen: {
    begin: ({ run }: Player) => void run.child.kill("SIGSTOP"),
    end: async ({ run }: Player) => void run.child.kill("SIGCONT"),
  },
  "cut off": {
    begin: ({ proxy }: Player) => proxy.blackHole(),
    end: ({ proxy }: Player) => proxy.heal(),
  },
} as const;

export type Silence = keyof typeof SILENCES;

export interface Halted {
  tickId: string;
  /** The messages it holds, as deliveries. */
  claims: { id: string; attempt: number }[];
}

const claimed = `
  select id, retry_count as attempt, data ->> 'tickId' as tick from pgboss.job
  where state = 'active' and name = 'shards' and data ? 'tickId'`;
const others = `
  from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
    and backend_type = 'client backend'`;

/** With its transaction open on the server, or before it has begun one. */
export async function haltAtWork(
  player: Player,
  query: Query,
  how: { silence: Silence; inTransaction: boolean },
): Promise<Halted> {
  const silence = SILENCES[how.silence];
  return vi.waitFor(
    async () => {
      silence.begin(player);
      try {
        await answered(query);
        const [open] = await query(
          `select count(*)::int as n ${others} and state like 'idle in transaction%'`,
        );
        expect(Number(open?.["n"]) > 0).toBe(how.inTransaction);
        const rows = await query(claimed);
        expect(rows).not.toEqual([]);
        return {
          tickId: String(rows[0]?.["tick"]),
          claims: rows.map(({ id, attempt }) => ({ id: String(id), attempt: Number(attempt) })),
        };
      } catch (error) {
        await silence.end(player);
        throw error;
      }
    },
    { timeout: 20_000, interval: 7 },
  );
}

/** The server has done all it was asked before the silence. */
async function answered(query: Query): Promise<void> {
  const busy = `select 1 ${others} and state = 'active'`;
  await vi.waitFor(async () => expect(await query(busy)).toEqual([]), { interval: 5 });
}

/** Resolves when all these messages have been delivered again to somebody else. */
export async function takenOver(query: Query, { claims }: Halted): Promise<void> {
  const again = "select 1 from pgboss.job where id = $1 and retry_count > $2";
  await vi.waitFor(
    async () => {
      for (const { id, attempt } of claims) {
        expect(await query(again, [id, attempt])).toHaveLength(1);
      }
    },
    { timeout: 60_000, interval: 20 },
  );
}
