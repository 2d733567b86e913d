/** What stands between the fields of a line. */
export type Delimiter = "," | ";" | "\t" | "|";

/** In this order: with `;` or a tab between the fields a comma is a decimal point. */
const DELIMITERS: readonly Delimiter[] = ["\t", ";", "|", ","];
/** Fewer fields are no bar. */
const FEWEST_FIELDS = 2;

/** The one that splits the line into a table's fields; a comma when none does. */
export function delimiterOf(line: string): Delimiter {
  const splits = (delimiter: Delimiter): boolean =>
    (fieldsOf(line, delimiter)?.length ?? 0) >= FEWEST_FIELDS;
  return DELIMITERS.find(splits) ?? ",";
}

/** The fields without the quotes and spaces around them; null when a quote is not closed. */
export function fieldsOf(line: string, delimiter: Delimiter): string[] | null {
  if (line.includes('"')) return quotedFields(line, delimiter);
  const fields = line.split(delimiter);
  return line.includes(" ") ? fields.map((field) => field.trim()) : fields;
}

function quotedFields(line: string, delimiter: Delimiter): string[] | null {
  const fields: string[] = [];
  let field = "";
  let isQuoted = false;
  for (let at = 0; at < line.length; at += 1) {
    const character = line.charAt(at);
    if (character === '"') {
      // Two quotes within quotes are one of the text.
      if (isQuoted && line.charAt(at + 1) === '"') field += line.charAt((at += 1));
      else isQuoted = !isQuoted;
    } else if (character === delimiter && !isQuoted) {
      fields.push(field.trim());
      field = "";
    } else {
      field += character;
    }
  }
  return isQuoted ? null : [...fields, field.trim()];
}
