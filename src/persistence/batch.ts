/**
 * Statements that take a whole batch as one JSON parameter: the text never changes, a batch of any
 * size is one round trip, and JSON.stringify is native code. Measured for 100 cycles (1 300 rows) against
 * one array per column (unnest): 0.6 times the CPU in this process, 1.2 times in the server.
 */

/** Column names with their SQL types. */
export type Columns = Readonly<Record<string, string>>;

/** One row of a batch: decimals as text, instants as ISO text, jsonb columns as plain JSON. */
export type BatchRow<C extends Columns> = { [Column in keyof C]: unknown };

/** The batch of parameter `index` as rows that SQL can select from, under the name `r`. */
export function recordset(columns: Columns, index = 1): string {
  const typed = Object.entries(columns).map(([name, type]) => `${name} ${type}`);
  return `json_to_recordset($${index}::json) as r(${typed.join(", ")})`;
}

/** Inserts every row of the batch. */
export function insertBatch(table: string, columns: Columns, index = 1): string {
  const names = Object.keys(columns).join(", ");
  return `insert into ${table} (${names}) select ${names} from ${recordset(columns, index)}`;
}

export function instant(at: number): string {
  return new Date(at).toISOString();
}

export function instantOrNull(at: number | null): string | null {
  return at === null ? null : instant(at);
}
