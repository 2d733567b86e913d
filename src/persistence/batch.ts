/**
 * Statements that take a whole batch, one array per column: the text never changes and a batch of any
 * size is one round trip. Measured for 100 cycles (1 300 rows) beside one JSON text per table, CPU per
 * cycle: 76 µs here and 305 µs in the server, against 66 µs and 429 µs.
 */

/** Column names with their SQL types, in the order of the parameters. */
export type Columns = Readonly<Record<string, string>>;

/**
 * One row of a batch: decimals as text, instants as ISO text, jsonb columns as plain JSON; a column
 * left out is null.
 */
export type BatchRow<C extends Columns> = { readonly [Column in keyof C]?: unknown };

export interface Batch<C extends Columns> {
  /** Its columns, one parameter each. */
  readonly names: readonly string[];
  /** The batch as rows that SQL can select from, under the name `r`; parameters from `$first` on. */
  rows(first?: number): string;
  /** A statement that inserts every row of the batch. */
  insertInto(table: string, first?: number): string;
  /** @throws RangeError, TypeError for a value that no column can hold. */
  params(rows: readonly BatchRow<C>[]): string[];
}

export function batchOf<const C extends Columns>(columns: C): Batch<C> {
  const entries = Object.entries(columns);
  const names = entries.map(([name]) => name);
  const list = names.join(", ");
  const rows = (first = 1): string => {
    const arrays = entries.map(([, type], index) => `$${first + index}::${type}[]`);
    return `unnest(${arrays.join(", ")}) as r(${list})`;
  };
  return {
    names,
    rows,
    insertInto: (table, first) =>
      `insert into ${table} (${list}) select ${list} from ${rows(first)}`,
    params: (batch) =>
      entries.map(([name, type]) => {
        const element = type === "jsonb" ? jsonElement : plainElement;
        return `{${batch.map((row) => element(row[name])).join(",")}}`;
      }),
  };
}

export function instant(at: number): string {
  return new Date(at).toISOString();
}

export function instantOrNull(at: number | null): string | null {
  return at === null ? null : instant(at);
}

function jsonElement(value: unknown): string {
  return value === null || value === undefined ? "NULL" : quoted(JSON.stringify(value));
}

function plainElement(value: unknown): string {
  if (value === null || value === undefined) return "NULL";
  if (typeof value === "string") return quoted(value);
  if (typeof value === "boolean") return String(value);
  if (typeof value === "number" && Number.isFinite(value)) return String(value);
  const found = typeof value === "number" ? String(value) : typeof value;
  throw new RangeError(`expected text, a boolean or a finite number, was ${found}`);
}

// Always quoted, so that no text can be taken for NULL, a separator or the end of the array.
function quoted(text: string): string {
  // The driver would store another text in its place.
  if (!text.isWellFormed()) throw new RangeError("expected text without half surrogate pairs");
  return /["\\]/.test(text) ? `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"` : `"${text}"`;
}
