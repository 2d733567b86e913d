import { Migration0001Initial } from "./0001-initial.ts";

/** Every migration in the order it runs. */
export const migrations = [Migration0001Initial];
