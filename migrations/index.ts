import { Migration0001Initial } from "./0001-initial.ts";
import { Migration0002ContextBefore } from "./0002-context-before.ts";
import { Migration0003HistoryIndexes } from "./0003-history-indexes.ts";
import { Migration0004ListIndexes } from "./0004-list-indexes.ts";
import { Migration0006LiveOrders } from "./0006-live-orders.ts";
import { Migration0007FillsBefore } from "./0007-fills-before.ts";

/** Every migration in the order it runs. */
export const migrations = [
  Migration0001Initial,
  Migration0002ContextBefore,
  Migration0003HistoryIndexes,
  Migration0004ListIndexes,
  Migration0006LiveOrders,
  Migration0007FillsBefore,
];
