import { Command } from "commander";
import { describeSettings } from "#config/config.ts";
import type { StartOptions } from "./start.ts";

/** `start`, the same for `npm start` and `npm run troupe -- start`. */
export function startCommand(name: string): Command {
  return new Command(name)
    .description("run the engine and its API, and show what the strategies do")
    .option("--no-demo", "do not create demo strategies in an empty database")
    .option("--no-table", "plain lines instead of the living table")
    .option("--json", "one JSON object per line on stdout, the log among them", false)
    .addHelpText("after", HELP)
    .action(async (options: StartOptions) => {
      // Only here: the other commands need neither engine nor database, and should not wait for them.
      const { start } = await import("./start.ts");
      process.exitCode = await start(options);
    });
}

const HELP = `
Ctrl-C (or SIGTERM) finishes the work under way, sells nothing, and the next start goes on from there.

Environment:
${describeSettings()}

Examples:
  npm start
  TROUPE_REPLAY_SPEED=max npm start
  DATABASE_URL=postgres://user:password@localhost:5432/troupe npm start -- --no-table`;
