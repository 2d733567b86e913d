import { z } from "zod";
import { referenceInput } from "#domain/inputs.ts";
import { definition, definitionDetail } from "#api/schemas/definitions.ts";
import { query, router } from "#api/trpc.ts";

export const definitionsRouter = router({
  list: query.output(z.array(definition)).query(({ ctx }) => ctx.services.definitions.list()),

  get: query
    .input(z.strictObject({ definition: referenceInput }))
    .output(definitionDetail)
    .query(async ({ ctx: { services }, input }) => {
      const found = await services.definitions.get(input.definition);
      return { ...found, params: services.definitions.params(found) };
    }),
});
