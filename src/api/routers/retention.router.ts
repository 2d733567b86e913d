import { pruneReport, pruneRequest } from "#api/schemas/retention.ts";
import { command, query, router } from "#api/trpc.ts";

export const retentionRouter = router({
  /** Begins to thin old history; it goes on beside the engine until its end, or `stop`. */
  start: command
    .input(pruneRequest)
    .output(pruneReport)
    .mutation(async ({ ctx: { services }, input }) => {
      const { email: actor } = await services.localUser();
      return services.retention.start({ ...input, actor });
    }),

  /** Of the prune under way on this node, or of its last one; null when there was none. */
  status: query.output(pruneReport.nullable()).query(({ ctx }) => ctx.services.retention.status()),

  /** Answers once it has ended. */
  stop: command.output(pruneReport.nullable()).mutation(({ ctx }) => ctx.services.retention.stop()),
});
