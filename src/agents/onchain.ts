import { SourceUnavailable } from "#ports/business-agent.ts";
import type { BusinessAgent } from "#ports/business-agent.ts";

/** Would read the chain's activity; there is no recording of it to replay. */
export const onchainAgent: BusinessAgent = {
  name: "onchain",
  displayName: "Data Warden",
  description:
    "Reads addresses, transactions, hash rate and fees of the chain. Needs a live source.",
  tools: [],
  run: async () => {
    throw new SourceUnavailable("no source of on-chain activity, hash rate and fees");
  },
};
