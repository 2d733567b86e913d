import { z } from "zod";
import { changes } from "#api/changes.ts";
import * as common from "#api/schemas/common.ts";
import * as history from "#api/schemas/history.ts";
import * as schema from "#api/schemas/strategies.ts";
import { command, query, router, type Context } from "#api/trpc.ts";
import { cycleOf, isPending, portfolioOf, tradeOf, withStanding } from "#api/views.ts";

const REPLAY_ENDED = "the replay is at its end: no tick will come";

const pageOfStrategy = common.ofStrategy.extend(common.pageRequest);

export const strategiesRouter = router({
  list: query
    .input(schema.listRequest)
    .output(common.pageOf(schema.listItem))
    .query(async ({ ctx, input: { cursor: _cursor, limit: _limit, ...filter }, input }) => {
      const page = await ctx.services.strategies.list({ ...filter, ...common.pageWanted(input) });
      return common.mapPage(page, (item) => withStanding(ctx.monitor, item));
    }),

  get: query
    .input(common.ofStrategy)
    .output(schema.strategy)
    .query(async ({ ctx, input }) =>
      withStanding(ctx.monitor, await ctx.services.strategies.get(input.strategyId)),
    ),

  create: command
    .input(schema.createRequest)
    .output(schema.created)
    .mutation(async ({ ctx: { monitor, services }, input: { definition, ...request } }) => {
      const owner = await services.localUser();
      const template = await services.definitions.get(definition);
      const created = await services.strategies.create(template, owner, request);
      const { finished } = monitor.market();
      return { ...created, notices: finished ? [REPLAY_ENDED] : [] };
    }),

  update: command
    .input(schema.updateRequest)
    .output(schema.strategy)
    .mutation(async ({ ctx: { monitor, services }, input: { strategyId, ...edit } }) => {
      const { email: actor } = await services.localUser();
      const { definitionId, params, paramsVersion } = await services.strategies.get(strategyId);
      const definition = await services.definitions.get(definitionId);
      await services.strategies.update(
        strategyId,
        { ...edit, actor },
        { definition, params, paramsVersion },
      );
      return withStanding(monitor, await services.strategies.get(strategyId));
    }),

  stop: command
    .input(schema.stopRequest)
    .output(schema.commandResult)
    .mutation(async ({ ctx, input: { strategyId, ...request } }) => {
      const { email: actor } = await ctx.services.localUser();
      const result = await ctx.services.strategies.stop(strategyId, { ...request, actor });
      return { ...result, ...(await standingOf(ctx, strategyId)) };
    }),

  resume: command
    .input(schema.resumeRequest)
    .output(schema.commandResult)
    .mutation(async ({ ctx, input: { strategyId, ...request } }) => {
      const { email: actor } = await ctx.services.localUser();
      const result = await ctx.services.strategies.resume(strategyId, { ...request, actor });
      return { ...result, ...(await standingOf(ctx, strategyId)) };
    }),

  /** Out of every list for good; its history stays. Only a stopped one. */
  archive: command
    .input(schema.archiveRequest)
    .output(schema.strategy)
    .mutation(async ({ ctx: { monitor, services }, input: { strategyId } }) => {
      const { email: actor } = await services.localUser();
      await services.strategies.archive(strategyId, { actor });
      return withStanding(monitor, await services.strategies.get(strategyId));
    }),

  cycles: query
    .input(pageOfStrategy)
    .output(common.pageOf(history.cycle))
    .query(async ({ ctx, input }) => {
      const page = common.pageWanted(input);
      return common.mapPage(await ctx.services.strategies.cycles(input.strategyId, page), cycleOf);
    }),

  replayDecision: query
    .input(z.strictObject({ composeId: common.id }))
    .output(history.decisionReplay)
    .query(({ ctx, input }) => ctx.services.strategies.replayDecision(input.composeId)),

  cycle: query
    .input(common.ofStrategy.extend({ composeId: common.id }))
    .output(history.cycleDetail)
    .query(async ({ ctx, input: { strategyId, composeId } }) => {
      const found = await ctx.services.strategies.cycle(strategyId, composeId);
      const { view, ...cycle } = found;
      return { ...cycleOf(cycle), portfolio: view === null ? null : portfolioOf(view) };
    }),

  trades: query
    .input(pageOfStrategy)
    .output(common.pageOf(history.trade))
    .query(async ({ ctx, input }) => {
      const page = common.pageWanted(input);
      return common.mapPage(await ctx.services.strategies.trades(input.strategyId, page), tradeOf);
    }),

  /** The newest portfolio with its positions; null before the first cycle. */
  holding: query
    .input(common.ofStrategy)
    .output(history.portfolio.nullable())
    .query(async ({ ctx, input }) => {
      const view = await ctx.services.strategies.holding(input.strategyId);
      return view === null ? null : portfolioOf(view);
    }),

  portfolioSummary: query
    .input(common.ofStrategy)
    .output(history.portfolioSummary)
    .query(({ ctx, input }) => ctx.services.strategies.portfolioSummary(input.strategyId)),

  performance: query
    .input(common.ofStrategy)
    .output(history.performance)
    .query(async ({ ctx, input: { strategyId } }) => {
      const { strategy, performance, ...span } =
        await ctx.services.strategies.performance(strategyId);
      return { ...strategy, ...performance, ...span, strategyId };
    }),

  /** At most `points`, oldest first; the newest is always among them. */
  equityCurve: query
    .input(common.ofStrategy.extend({ points: z.int().min(1).max(2_000).default(500) }))
    .output(z.array(history.equityPoint))
    .query(({ ctx, input }) => ctx.services.strategies.equityCurve(input.strategyId, input.points)),

  /**
   * First the present state of what was asked for, then every committed change, in batches. A client
   * that reconnects goes on where it was; one that is slow gets the newest state of each strategy.
   */
  onChange: query.input(schema.changeRequest).subscription(changes),
});

async function standingOf({ services }: Context, strategyId: string) {
  const strategy = await services.strategies.get(strategyId);
  const { desiredStatus, state } = strategy;
  return { desiredStatus, state, pending: isPending(strategy) };
}
