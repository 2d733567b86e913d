import { basename } from "node:path";
import { type Delimiter, delimiterOf, fieldsOf } from "./fields.ts";
import { type Place, placeError } from "./file-problem.ts";
import { linesOf } from "./lines.ts";

/** One line of a table. */
export interface Row {
  fields: readonly string[];
  place: Place;
}

/** Lines before the header that some sites put there: their address, or a remark. */
const PREAMBLE = /^\s*(#|\/\/|https?:|"?https?:|sep=)/i;

/** Calls `take` with each line of the table that is not empty. @throws InvalidInputError INVALID_DATA_FILE */
export async function readTable(
  path: string,
  take: (row: Row, delimiter: Delimiter) => void,
): Promise<void> {
  const file = basename(path);
  let delimiter: Delimiter | undefined;
  for await (const { from, lines } of linesOf(path)) {
    for (const [index, line] of lines.entries()) {
      const isBlank = line === "" || line.trim() === "";
      if (isBlank || (delimiter === undefined && PREAMBLE.test(line))) continue;
      delimiter ??= delimiterOf(line);
      const place = { file, line: from + index };
      const fields = fieldsOf(line, delimiter);
      if (fields === null) {
        throw placeError(place, "a quote is not closed", "close it, or write no quotes");
      }
      take({ fields, place }, delimiter);
    }
  }
}

export function assertWidth(row: Row, width: number): void {
  if (row.fields.length === width) return;
  const column = String(Math.min(row.fields.length, width) + 1);
  const problem = `expected ${width} fields, was ${row.fields.length}`;
  throw placeError({ ...row.place, column }, problem, "complete or remove the line");
}
