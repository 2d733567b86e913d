import { definitionsRouter } from "./routers/definitions.router.ts";
import { engineRouter } from "./routers/engine.router.ts";
import { retentionRouter } from "./routers/retention.router.ts";
import { strategiesRouter } from "./routers/strategies.router.ts";
import { router } from "./trpc.ts";

export const appRouter = router({
  definitions: definitionsRouter,
  strategies: strategiesRouter,
  engine: engineRouter,
  retention: retentionRouter,
});

/** All that a typed client needs to know of the server. */
export type AppRouter = typeof appRouter;
