import { z } from "zod";
import { definition, named, pauseResult } from "#api/schemas/definitions.ts";
import { command, query, router } from "#api/trpc.ts";

export const definitionsRouter = router({
  list: query.output(z.array(definition)).query(({ ctx }) => ctx.services.definitions.list()),

  get: query
    .input(named)
    .output(definition)
    .query(({ ctx, input }) => ctx.services.definitions.get(input.definition)),

  pause: command
    .input(named)
    .output(pauseResult)
    .mutation(async ({ ctx: { services }, input }) => {
      const { email: actor } = await services.localUser();
      return services.definitions.pause(input.definition, actor);
    }),

  resume: command
    .input(named)
    .output(pauseResult)
    .mutation(async ({ ctx: { services }, input }) => {
      const { email: actor } = await services.localUser();
      return services.definitions.resume(input.definition, actor);
    }),
});
