import { z } from "zod";
import { definition, definitionDetail, named, pauseResult } from "#api/schemas/definitions.ts";
import { command, query, router } from "#api/trpc.ts";

export const definitionsRouter = router({
  list: query.output(z.array(definition)).query(async ({ ctx: { monitor, services } }) => {
    const definitions = await services.definitions.list();
    return definitions.map((one) => ({ ...one, ...monitor.dataFit(one) }));
  }),

  get: query
    .input(named)
    .output(definitionDetail)
    .query(async ({ ctx: { monitor, services }, input }) => {
      const found = await services.definitions.get(input.definition);
      const params = services.definitions.params(found);
      return { ...found, ...monitor.dataFit(found), params };
    }),

  pause: command
    .input(named)
    .output(pauseResult)
    .mutation(async ({ ctx: { monitor, services }, input }) => {
      const { email: actor } = await services.localUser();
      const { definition: found, outcome } = await services.definitions.pause(
        input.definition,
        actor,
      );
      return { outcome, definition: { ...found, ...monitor.dataFit(found) } };
    }),

  resume: command
    .input(named)
    .output(pauseResult)
    .mutation(async ({ ctx: { monitor, services }, input }) => {
      const { email: actor } = await services.localUser();
      const { definition: found, outcome } = await services.definitions.resume(
        input.definition,
        actor,
      );
      return { outcome, definition: { ...found, ...monitor.dataFit(found) } };
    }),
});
