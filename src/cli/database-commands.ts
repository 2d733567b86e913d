// The commands that open the database themselves; on the embedded one no engine may be running.
import type { Command } from "commander";
import { DomainError } from "#domain/errors.ts";
import { describe, perform, type JsonOption } from "./command.ts";
import { plural } from "./format.ts";
import { EXIT } from "./problem.ts";

export function migrateCommand(): Command {
  return describe("migrate", "bring the database to this version's tables", [
    "migrate",
    "migrate --check",
  ])
    .option("--check", "change nothing; fail when tables, migrations and entities disagree")
    .action((options: JsonOption & { check?: boolean }) =>
      perform(options, async (output) => {
        const { disagreements, migrateConfigured } = await import("./database-work.ts");
        if (options.check === true) {
          const found = await disagreements();
          if (found.length > 0) process.exitCode = EXIT.failed;
          const text = found.length === 0 ? "migrations and entities agree" : found.join("\n");
          output.result({ ok: found.length === 0, found }, () => text);
          return;
        }
        const ran = await migrateConfigured();
        output.result({ ran }, () =>
          ran.length === 0 ? "nothing to do" : `ran ${ran.join(", ")}`,
        );
      }),
    );
}

export function seedCommand(): Command {
  return describe("seed", "create the demo's strategies", ["seed", "seed --count 10000"])
    .option("--count <n>", "so many, instead of one of each kind")
    .action((options: JsonOption & { count?: string }) =>
      perform(options, async (output) => {
        const count = countOf(options.count);
        const { seedConfigured } = await import("./database-work.ts");
        const created = await seedConfigured(count);
        output.result({ created }, () => `created ${plural(created, "strategy")}`);
      }),
    );
}

function countOf(count: string | undefined): number | undefined {
  if (count === undefined) return undefined;
  if (/^[1-9]\d*$/.test(count)) return Number(count);
  throw new DomainError("INVALID_INPUT", `--count: expected a whole number above 0, was ${count}`);
}
