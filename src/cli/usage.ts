import type { Command } from "commander";
import { jsonText, printableLines } from "./printable.ts";
import { EXIT } from "./problem.ts";

/** Wrong usage ends with 2, and is told as JSON to whoever asked for JSON. */
export function reportUsage(command: Command): Command {
  const wantsJson = process.argv.includes("--json");
  command.configureOutput({
    outputError: (text, write) => {
      const message = text.trim().replace(/^error: /, "");
      const problem = { error: { code: "USAGE", message, fields: [] } };
      write(wantsJson ? `${jsonText(problem, 0)}\n` : printableLines(text));
    },
  });
  command.exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? EXIT.done : EXIT.usage));
  for (const child of command.commands) reportUsage(child);
  return command;
}
