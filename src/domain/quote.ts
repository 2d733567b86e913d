/** Characters of a given text that an error repeats. */
const SHOWN = 60;
/** C0, DEL and C1 control characters, line separators, and marks that reorder what is printed. */
const STEERING = /[\p{Cc}\u2028-\u202E\u2066-\u2069]/gu;

/** A given value as an error names it: short, on one line, and nothing in it steers a terminal. */
export function quoted(value: unknown): string {
  if (value === undefined) return "missing";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object") return value === null ? "null" : "an object";
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value !== "string") return `a ${typeof value}`;
  const rest = value.length - SHOWN;
  const shown = escaped(JSON.stringify(value.slice(0, SHOWN)));
  return rest > 0 ? `${shown} and ${rest} more characters` : shown;
}

/** Cuts a text to at most `most` characters, with a mark where it was cut. */
export function shortened(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}

/** The same text with every character that could steer a terminal written as `\u001b`. */
export function escaped(text: string): string {
  return text.replaceAll(
    STEERING,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** `15 000`. */
export function grouped(count: number): string {
  return String(count).replaceAll(/\B(?=(\d{3})+$)/g, " ");
}
