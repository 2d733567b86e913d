import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** Hundreds of processes read the same modules. */
const COMPILE_CACHE = fileURLToPath(new URL("node_modules/.cache/troupe-tests", import.meta.url));

// One project per rung of the ladder: pure rules first, real databases next, whole processes last.
const project = (
  name: string,
  options: { timeoutMs: number; serial?: boolean; postgres?: boolean },
) => ({
  test: {
    name,
    include: [`tests/${name}/**/*.test.ts`],
    testTimeout: options.timeoutMs,
    hookTimeout: 120_000,
    env: { NODE_COMPILE_CACHE: COMPILE_CACHE },
    ...(options.serial ? { fileParallelism: false } : {}),
    ...(options.postgres ? { globalSetup: ["tests/support/postgres-server.ts"] } : {}),
  },
});

export default defineConfig({
  // Passed to Node as --conditions, also for require(): "import" or "module" here would break pg.
  ssr: { resolve: { conditions: ["development", "node"] } },
  test: {
    // Two files at once, on two cores too: many tests wait for clocks, heartbeats and child processes.
    maxWorkers: 2,
    projects: [
      project("unit", { timeoutMs: 10_000 }),
      project("property", { timeoutMs: 60_000 }),
      project("integration", { timeoutMs: 60_000, postgres: true }),
      project("api", { timeoutMs: 60_000, postgres: true }),
      project("faults", { timeoutMs: 180_000, postgres: true }),
      project("crash", { timeoutMs: 180_000, serial: true, postgres: true }),
    ],
  },
});
