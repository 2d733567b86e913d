import { CompiledQuery, type Kysely } from "kysely";
import type { Transaction } from "#ports/work-queue.ts";
import { fromDriver } from "./errors.ts";

/** One row as the driver hands it over; read it with the functions of `rows.ts`. */
export type Row = Readonly<Record<string, unknown>>;

/**
 * Runs statements with `$1` parameters, which stay parameters: they are never written into the
 * text. Failures arrive as domain errors.
 */
export interface Sql {
  rows(statement: string, params?: readonly unknown[]): Promise<Row[]>;
  /** Returns how many rows it changed. */
  run(statement: string, params?: readonly unknown[]): Promise<number>;
}

/** Statements of one open transaction. */
export interface SqlTransaction extends Sql {
  /** The same transaction as the work queue takes it. */
  readonly transaction: Transaction;
}

/**
 * A select or returning item that makes the rest of the transaction look rows up by index. The server
 * plans the check of a foreign key once per connection; planned while the table was small, it would
 * read the whole table for every row until the next analyze (measured: a fifth of the speed).
 */
export const byIndexOnly = "set_config('enable_seqscan', 'off', true)";

export type OnStatement = (statement: string) => void;

export function sqlOf(kysely: () => Kysely<unknown>, onStatement?: OnStatement): Sql {
  const execute = async (statement: string, params: readonly unknown[] = []) => {
    onStatement?.(statement);
    try {
      return await kysely().executeQuery<Row>(CompiledQuery.raw(statement, [...params]));
    } catch (error) {
      throw fromDriver(error);
    }
  };
  return {
    rows: async (statement, params) => (await execute(statement, params)).rows,
    run: async (statement, params) => Number((await execute(statement, params)).numAffectedRows),
  };
}

/** The queue's adapters run their statements on the Kysely transaction behind the opaque type. */
export function sqlOfTransaction(
  kysely: Kysely<unknown>,
  onStatement?: OnStatement,
): SqlTransaction {
  const sql = sqlOf(() => kysely, onStatement);
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the brand's one way in
  return { ...sql, transaction: kysely as unknown as Transaction };
}
