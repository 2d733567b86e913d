import { Command } from "commander";
import { migrateCommand, seedCommand } from "./cli/database-commands.ts";
import { definitionsCommand } from "./cli/definitions-command.ts";
import { doctorCommand } from "./cli/doctor-command.ts";
import { pruneCommand } from "./cli/prune-command.ts";
import { replayDecisionCommand } from "./cli/replay-decision-command.ts";
import { startCommand } from "./cli/start-command.ts";
import { strategiesCommand } from "./cli/strategies-command.ts";
import { reportUsage } from "./cli/usage.ts";

const program = new Command("npm run troupe --")
  .description("trading strategies as durable actors")
  .addCommand(startCommand("start"))
  .addCommand(strategiesCommand())
  .addCommand(definitionsCommand())
  .addCommand(replayDecisionCommand())
  .addCommand(pruneCommand())
  .addCommand(doctorCommand())
  .addCommand(migrateCommand())
  .addCommand(seedCommand());

await reportUsage(program).parseAsync();
