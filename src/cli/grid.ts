import { stripVTControlCharacters } from "node:util";
import Table from "cli-table3";
import type { Paint } from "./format.ts";
import { printable } from "./printable.ts";

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
  { width = Number.POSITIVE_INFINITY, paint }: GridOptions,
): string {
  let shown = columns;
  let text = tableOf(rows, shown, { paint });
  while (widthOf(text) > width) {
    const victim = mostDispensable(shown);
    if (victim === undefined) break;
    shown = shown.filter((column) => column !== victim);
    text = tableOf(rows, shown, { paint });
  }
  const excess = widthOf(text) - width;
  return excess > 0 ? tableOf(rows, shown, { paint, excess }) : text;
}

function mostDispensable<Row>(columns: readonly Column<Row>[]): Column<Row> | undefined {
  return columns
    .filter(({ dispensable }) => dispensable !== undefined)
    .toSorted((a, b) => (b.dispensable ?? 0) - (a.dispensable ?? 0))[0];
}

function tableOf<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  { paint, excess = 0 }: { paint: Paint; excess?: number },
): string {
  const cells = rows.map((row) => columns.map(({ cell }) => painted(cell(row), paint)));
  const table = new Table({
    head: columns.map(({ head }) => paint("bold", head)),
    colAligns: columns.map(({ align }) => align ?? "left"),
    colWidths: columns.map(({ elastic }, index) => {
      if (elastic === undefined || excess === 0) return null;
      const natural = Math.max(...cells.map((line) => widthOf(line[index] ?? "")));
      return Math.max(natural - excess, LEAST_ELASTIC);
    }),
    chars: NO_RULES,
    style: { head: [], border: [], compact: true, "padding-left": 0, "padding-right": 0 },
  });
  for (const line of cells) table.push(line);
  return table.toString();
}

function painted(cell: Cell | string, paint: Paint): string {
  if (typeof cell === "string") return printable(cell);
  const text = printable(cell.text);
  return cell.style === undefined ? text : paint(cell.style, text);
}

const WIDE =
  /[\u1100-\u115F\u2E80-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6\p{Emoji_Presentation}]/gu;

/** Columns of a terminal that the widest line takes; Chinese characters take two each. */
function widthOf(text: string): number {
  const widths = stripVTControlCharacters(text)
    .split("\n")
    .map((line) => Array.from(line.replaceAll(/\p{M}/gu, "").replaceAll(WIDE, "xx")).length);
  return Math.max(...widths);
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
