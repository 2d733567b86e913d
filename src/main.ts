import { startCommand } from "./cli/start-command.ts";
import { reportUsage } from "./cli/usage.ts";

await reportUsage(startCommand("npm start --")).parseAsync();
