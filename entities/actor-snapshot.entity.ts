import { defineEntity, p } from "@mikro-orm/core";
import { timestamps } from "./columns.ts";
import { Strategy } from "./strategy.entity.ts";

/** The committed state of one strategy's actor: what any node restores it from. */
const ActorSnapshotSchema = defineEntity({
  name: "ActorSnapshot",
  tableName: "actor_snapshots",
  properties: {
    strategy: () => p.manyToOne(Strategy).primary().deleteRule("cascade").updateRule("no action"),
    machine: p.text(),
    version: p.integer(),
    value: p.text(),
    hash: p.text(),
    // What XState persists of the actor, as JSON text kept byte for byte: the hash covers it.
    snapshot: p.text(),
    // +1 per commit that wrote it; it never goes back.
    seq: p.bigint("number").default(0),
    ...timestamps(),
  },
});

export class ActorSnapshot extends ActorSnapshotSchema.class {}
ActorSnapshotSchema.setClass(ActorSnapshot);
