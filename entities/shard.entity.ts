import { defineEntity, p } from "@mikro-orm/core";
import { timestamps } from "./columns.ts";
import { StrategyDefinition } from "./strategy-definition.entity.ts";

/**
 * A fixed slice of a definition's strategies: the unit of ownership, work and failure. Every commit
 * changes its row, so only what never changes is indexed.
 */
const ShardSchema = defineEntity({
  name: "Shard",
  tableName: "shards",
  properties: {
    id: p.uuid().primary(),
    definition: () => p.manyToOne(StrategyDefinition).deleteRule("cascade"),
    // 0, 1, 2, … per definition.
    number: p.integer(),
    // The fence (I7): +1 per commit.
    version: p.bigint("number").default(0),
    // +1 whenever a member is added, edited, stopped or resumed.
    rosterVersion: p.bigint("number").default(0),
    // The tick last handed to this shard and the one it last finished: a tick closes by these, not
    // by counting cycles.
    fannedTickId: p.uuid().nullable(),
    settledTickId: p.uuid().nullable(),
    // Of the fanned tick, so far.
    settledCycles: p.integer().default(0),
    settledFailures: p.integer().default(0),
    ...timestamps(),
  },
  uniques: [{ name: "uq_shard_number", properties: ["definition", "number"] }],
});

export class Shard extends ShardSchema.class {}
ShardSchema.setClass(Shard);
