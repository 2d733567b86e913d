// A prune in a process of its own, which kills itself a while after so many cycles are gone.
import { setTimeout as sleep } from "node:timers/promises";
import { systemTimer } from "#adapters/system-timer.ts";
import { readConfig } from "#config/config.ts";
import { createRetentionService } from "#services/retention.ts";
import { openConfigured } from "../../../src/troupe.ts";

const [lethalCount = "Infinity", delayMs = "0"] = process.argv.slice(2);

await using resources = new AsyncDisposableStack();
const database = await openConfigured(readConfig(process.env), resources);
const retention = createRetentionService({ database, timer: systemTimer });
let report = await retention.start({ keep: "1h", keepHourly: "520w", actor: "test" });
while (report.phase !== "done") {
  if (report.phase === "failed") throw new Error(report.error?.message);
  if (report.removed.cycles >= Number(lethalCount)) {
    await sleep(Number(delayMs));
    process.kill(process.pid, "SIGKILL");
  }
  await sleep(1);
  report = retention.status() ?? report;
}
