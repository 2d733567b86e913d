import { engineStatus } from "#api/schemas/engine.ts";
import { query, router } from "#api/trpc.ts";

export const engineRouter = router({
  status: query.output(engineStatus).query(async ({ ctx: { monitor, services } }) => ({
    phase: monitor.phase,
    database: services.health.database,
    market: monitor.market(),
    queues: monitor.phase === "running" ? await services.health.queues() : null,
    recovery: monitor.recovery,
    progress: monitor.progress(),
    groups: monitor.groups(),
    totals: monitor.totals(),
  })),
});
