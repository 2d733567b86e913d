// Names, reasons and messages come from users and from other programs: nothing in them may steer the
// terminal. Whatever a command prints goes through here.
import { stripVTControlCharacters } from "node:util";
import { escaped } from "#domain/quote.ts";

/** Marks that reorder what is printed after them. */
const REORDERING = /[\u202A-\u202E\u2066-\u2069]/gu;
/** Colour, which is all that the product itself has a terminal do, begins with the first of these. */
const COLOUR = /(\p{Cc}\[[\d;]*m)/u;
const ESCAPE = "\u001B";

/** A text of somebody else as one line without control characters. */
export function printable(text: string): string {
  return stripVTControlCharacters(text)
    .replaceAll(/\p{Cc}/gu, " ")
    .replaceAll(REORDERING, "");
}

/** Several such lines. */
export function printableLines(text: string): string {
  return text.split(/\r?\n/).map(printable).join("\n");
}

/** Lines that the product has coloured itself: whatever else steers a terminal is taken out. */
export function withoutControls(text: string): string {
  return text
    .split(COLOUR)
    .map((part) => (part.startsWith(ESCAPE) && COLOUR.test(part) ? part : printableLines(part)))
    .join("");
}

/** JSON as it is, with what JSON itself leaves unescaped and a terminal obeys written as escapes. */
export function jsonText(value: unknown, indent: number): string {
  return JSON.stringify(value, null, indent).split("\n").map(escaped).join("\n");
}
