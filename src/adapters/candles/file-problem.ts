import { errorMessage, InvalidInputError } from "#domain/errors.ts";

/** Where in a data file something is wrong. */
export interface Place {
  /** Name without its folder. */
  file: string;
  /** Counted from 1. */
  line: number;
  column?: string;
}

const SHOWN_CHARACTERS = 80;
/** Controls, format characters (text direction among them), halves of pairs, and what could not be decoded. */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}\uFFFD]/gu;

/** Text of a file as a message may quote it: short, and nothing in it steers a terminal. */
export function shown(text: string): string {
  if (text === "") return "empty";
  const cut = text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
  return printable(cut);
}

/** As `shown`, whole: for names and paths. */
export function printable(text: string): string {
  return text.replaceAll(
    UNPRINTABLE,
    (character) => `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`,
  );
}

export function placeError(place: Place, problem: string, fix: string): InvalidInputError {
  const column = place.column === undefined ? "" : `, column ${shown(place.column)}`;
  const message = `${printable(place.file)}, line ${place.line}${column}: ${problem}; ${fix}`;
  return new InvalidInputError("INVALID_DATA_FILE", message, { details: { ...place } });
}

export function fileError(file: string, problem: string, fix: string): InvalidInputError {
  const message = `${printable(file)}: ${problem}; ${fix}`;
  return new InvalidInputError("INVALID_DATA_FILE", message, { details: { file } });
}

export function unreadable(path: string, cause: unknown): InvalidInputError {
  const message = `${printable(path)}: cannot be read: ${printable(errorMessage(cause))}; check the path and its permissions`;
  return new InvalidInputError("INVALID_DATA_FILE", message, { cause, details: { file: path } });
}
