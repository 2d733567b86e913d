import { startCommand } from "./cli/start-command.ts";

await startCommand("npm start --").parseAsync();
