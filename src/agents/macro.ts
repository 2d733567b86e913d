import { SourceUnavailable } from "#ports/business-agent.ts";
import type { BusinessAgent } from "#ports/business-agent.ts";

/** Would read rates, money supply and the dollar; there is no recording of them to replay. */
export const macroAgent: BusinessAgent = {
  name: "macro",
  displayName: "Oracle",
  description: "Reads interest rates, money supply and the dollar index. Needs a live source.",
  tools: [],
  run: async () => {
    throw new SourceUnavailable("no source of interest rates, money supply and dollar index");
  },
};
