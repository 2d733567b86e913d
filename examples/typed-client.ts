// A typed client in a few lines: list templates, create a strategy, watch it, stop it.
// Run it while an engine plays: node examples/typed-client.ts
import { createTRPCClient, createWSClient, httpLink, splitLink, wsLink } from "@trpc/client";
import type { AppRouter } from "#api/router.ts";

const url = `${process.env["TROUPE_URL"] ?? "http://127.0.0.1:7420"}/trpc`;
const socket = createWSClient({ url: url.replace("http", "ws") });
const troupe = createTRPCClient<AppRouter>({
  links: [
    splitLink({
      condition: ({ type }) => type === "subscription",
      true: wsLink({ client: socket }),
      false: httpLink({ url }),
    }),
  ],
});

for (const { name, symbols } of await troupe.definitions.list.query()) console.log(name, symbols);
const { strategyId, name } = await troupe.strategies.create.mutate({
  definition: "multi_agent_btc_daily",
  initialBalance: "10000",
  params: { buy_threshold: 55 },
});
console.log("created", name);
let isEnough = false;
const watching = troupe.strategies.onChange.subscribe(
  { strategyIds: [strategyId] },
  {
    onData: ({ data: [strategy] }) => {
      if (strategy === undefined) return;
      console.log(strategy.state, `cycle ${strategy.cycleIndex}`, strategy.totalValue);
      if (strategy.cycleIndex > 1 && !isEnough) void troupe.strategies.stop.mutate({ strategyId });
      isEnough ||= strategy.cycleIndex > 1;
      if (strategy.state !== "stopped") return;
      watching.unsubscribe();
      void socket.close();
    },
  },
);
