import { defineConfig } from "vitest/config";

// One project per rung of the ladder: pure rules first, real databases next, whole processes last.
const project = (name: string, options: { timeoutMs: number; serial?: boolean }) => ({
  test: {
    name,
    include: [`tests/${name}/**/*.test.ts`],
    testTimeout: options.timeoutMs,
    hookTimeout: 120_000,
    ...(options.serial ? { fileParallelism: false } : {}),
  },
});

export default defineConfig({
  ssr: { resolve: { conditions: ["development", "node", "import", "module", "default"] } },
  test: {
    projects: [
      project("unit", { timeoutMs: 10_000 }),
      project("property", { timeoutMs: 60_000 }),
      project("integration", { timeoutMs: 60_000 }),
      project("api", { timeoutMs: 60_000 }),
      project("crash", { timeoutMs: 180_000, serial: true }),
    ],
  },
});
