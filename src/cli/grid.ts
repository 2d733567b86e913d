import { stripVTControlCharacters } from "node:util";
import Table from "cli-table3";
import type { Paint } from "./format.ts";

export interface Cell {
  text: string;
  style?: Parameters<Paint>[0];
}

export interface Column<Row> {
  head: string;
  cell: (row: Row) => Cell | string;
  align?: "right";
  /** Where it is too narrow for all, the highest goes first; those without one stay. */
  dispensable?: number;
  /** Shortened with `…` when nothing is left to leave out. */
  elastic?: true;
}

export interface GridOptions {
  /** Most characters of a line; a file has no limit. */
  width?: number;
  paint: Paint;
}

const LEAST_ELASTIC = 8;

/** Rows in aligned columns without rules, fitted to the width. */
export function grid<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  options: GridOptions,
): string {
  const width = options.width ?? Number.POSITIVE_INFINITY;
  let shown = [...columns];
  let table = tableOf(rows, shown, options.paint);
  while (table.width > width) {
    const victim = mostDispensable(shown);
    if (victim === undefined) break;
    shown = shown.filter((column) => column !== victim);
    table = tableOf(rows, shown, options.paint);
  }
  if (table.width > width) squeeze(table, shown, width);
  return table.toString();
}

function mostDispensable<Row>(columns: readonly Column<Row>[]): Column<Row> | undefined {
  return columns
    .filter(({ dispensable }) => dispensable !== undefined)
    .toSorted((a, b) => (b.dispensable ?? 0) - (a.dispensable ?? 0))[0];
}

function squeeze<Row>(
  table: InstanceType<typeof Table>,
  columns: readonly Column<Row>[],
  width: number,
): void {
  const elastic = columns.findIndex((column) => column.elastic);
  if (elastic === -1) return;
  const others = table.width - widest(table, elastic);
  table.options.colWidths = columns.map((_, index) =>
    index === elastic ? Math.max(width - others, LEAST_ELASTIC) : null,
  );
}

/** The column's present width: what the table gets narrower by without it, gap excluded. */
function widest(table: InstanceType<typeof Table>, index: number): number {
  const alone = new Table({ ...table.options, head: [], colWidths: [] });
  for (const row of table) if (Array.isArray(row)) alone.push([row[index]]);
  const head = table.options.head[index];
  if (head !== undefined) alone.push([head]);
  return alone.width;
}

function tableOf<Row>(rows: readonly Row[], columns: readonly Column<Row>[], paint: Paint) {
  const table = new Table({
    head: columns.map(({ head }) => paint("bold", head)),
    colAligns: columns.map(({ align }) => align ?? "left"),
    chars: NO_RULES,
    style: { head: [], border: [], compact: true, "padding-left": 0, "padding-right": 0 },
  });
  for (const row of rows) table.push(columns.map(({ cell }) => painted(cell(row), paint)));
  return table;
}

function painted(cell: Cell | string, paint: Paint): string {
  if (typeof cell === "string") return printable(cell);
  const text = printable(cell.text);
  return cell.style === undefined ? text : paint(cell.style, text);
}

/** Names come from users: nothing in them may steer the terminal. */
export function printable(text: string): string {
  return stripVTControlCharacters(text).replaceAll(/\p{Cc}/gu, " ");
}

const NO_RULES = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "  ",
} as const;
