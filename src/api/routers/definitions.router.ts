import { z } from "zod";
import { definition } from "#api/schemas/definitions.ts";
import { query, router } from "#api/trpc.ts";

export const definitionsRouter = router({
  list: query.output(z.array(definition)).query(async ({ ctx: { monitor, services } }) => {
    const definitions = await services.definitions.list();
    return definitions.map((one) => ({ ...one, ...monitor.dataFit(one) }));
  }),

  get: query
    .input(z.strictObject({ definition: z.string().min(1) }))
    .output(definition)
    .query(async ({ ctx: { monitor, services }, input }) => {
      const found = await services.definitions.get(input.definition);
      return { ...found, ...monitor.dataFit(found) };
    }),
});
