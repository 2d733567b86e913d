import { Command } from "commander";
import { paintFor } from "./format.ts";
import { grid, type Column } from "./grid.ts";
import { jsonText, withoutControls } from "./printable.ts";
import { report } from "./problem.ts";

/** How a command says what it has to say: for people, or as JSON for programs. */
export interface Output {
  json: boolean;
  /** The result; `text` is only made when people read it. */
  result(value: unknown, text: () => string): void;
  table<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string;
}

export interface JsonOption {
  json?: boolean;
}

/** A command with `--json` and examples in its help. */
export function describe(name: string, description: string, examples: readonly string[]): Command {
  const lines = examples.map((example) => `  npm run troupe -- ${example}`);
  return new Command(name)
    .description(description)
    .option("--json", "print the result, or the error, as JSON")
    .addHelpText("after", `\nExamples:\n${lines.join("\n")}`);
}

/** Runs a command's work; its errors become one message and an exit code. */
export async function perform(
  { json = false }: JsonOption,
  work: (output: Output) => Promise<void>,
): Promise<void> {
  try {
    await work(outputFor(json));
  } catch (error) {
    process.exitCode = report(error, { json });
  }
}

function outputFor(json: boolean): Output {
  const out = process.stdout;
  const width = out.isTTY ? { width: out.columns } : {};
  return {
    json,
    result: (value, text) => console.log(json ? jsonText(value, 2) : withoutControls(text())),
    table: (rows, columns) => grid(rows, columns, { ...width, paint: paintFor(out) }),
  };
}
