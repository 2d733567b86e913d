import { z } from "zod";
import { definition } from "#api/schemas/definitions.ts";
import { query, router } from "#api/trpc.ts";

export const definitionsRouter = router({
  list: query.output(z.array(definition)).query(({ ctx }) => ctx.services.definitions.list()),

  get: query
    .input(z.strictObject({ definition: z.string().min(1) }))
    .output(definition)
    .query(({ ctx, input }) => ctx.services.definitions.get(input.definition)),
});
