import { basename } from "node:path";
import { textOf } from "./file-text.ts";
import { placeError } from "./file-problem.ts";

/** Lines that follow each other in a file. */
export interface Lines {
  /** Number of the first one, counted from 1. */
  from: number;
  lines: string[];
}

/** A line of a table is far shorter; memory stays bounded in a file without line ends. */
const MOST_CHARACTERS = 65_536;
const LINE_END = /\r\n?|\n/;

/** The lines of a file, with line ends of any system, also mixed. @throws as `textOf`. */
export async function* linesOf(path: string): AsyncGenerator<Lines> {
  let from = 1;
  let rest = "";
  for await (const text of textOf(path)) {
    const known = rest + text;
    // A CR at the end of a piece may be the first half of one line end.
    const isHalf = known.endsWith("\r");
    const lines = (isHalf ? known.slice(0, -1) : known).split(LINE_END);
    rest = `${lines.pop() ?? ""}${isHalf ? "\r" : ""}`;
    if (rest.length > MOST_CHARACTERS) throw tooLong(basename(path), from + lines.length);
    yield { from, lines };
    from += lines.length;
  }
  if (rest !== "") yield { from, lines: [rest.replace(/\r$/, "")] };
}

function tooLong(file: string, line: number) {
  const problem = `a line of more than ${MOST_CHARACTERS} characters`;
  return placeError({ file, line }, problem, "give a table with one line per bar");
}
