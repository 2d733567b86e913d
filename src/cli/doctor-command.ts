import type { Command } from "commander";
import { describe, perform, type JsonOption } from "./command.ts";
import { EXIT } from "./problem.ts";

export function doctorCommand(): Command {
  return describe("doctor", "check what the engine needs, and say how to mend it", [
    "doctor",
    "doctor --json",
  ]).action((options: JsonOption) =>
    perform(options, async (output) => {
      const { examine, findingColumns } = await import("./doctor.ts");
      const findings = await examine();
      if (findings.some(({ verdict }) => verdict === "wrong")) process.exitCode = EXIT.failed;
      output.result(findings, () => output.table(findings, findingColumns));
    }),
  );
}
