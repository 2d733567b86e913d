import { randomUUID } from "node:crypto";
import type { Cycle } from "#domain/cycle.ts";
import type { MemberWrite } from "#ports/store.ts";
import type { RecordedCommit } from "./recorder.ts";

/** Turns recorded commits into new ones of the same size that a copy of the database can store. */
export interface Forge {
  commit(recorded: RecordedCommit): RecordedCommit;
}

/** Ids are new, cycle numbers and snapshots go on where the last forged cycle of a strategy stood. */
export function createForge(firstIndex: number): Forge {
  const indexes = new Map<string, number>();
  const next = (strategyId: string): number => {
    const index = (indexes.get(strategyId) ?? firstIndex) + 1;
    indexes.set(strategyId, index);
    return index;
  };
  return {
    commit({ shardId, writes }) {
      const tickId = randomUUID();
      return {
        shardId,
        writes: writes.map((write) => forged(write, next(write.strategyId), tickId)),
      };
    },
  };
}

function forged(write: MemberWrite, index: number, tickId: string): MemberWrite {
  const { cycle } = write;
  if (cycle === null) return { ...write, seq: index };
  return { ...write, seq: index, cycle: forgedCycle(cycle, index, tickId) };
}

function forgedCycle(cycle: Cycle, cycleIndex: number, tickId: string): Cycle {
  const ids = new Map(cycle.instructions.map(({ instructionId }) => [instructionId, randomUUID()]));
  const idOf = (instructionId: string): string => ids.get(instructionId) ?? instructionId;
  return {
    ...cycle,
    composeId: randomUUID(),
    tickId,
    cycleIndex,
    instructions: cycle.instructions.map((instruction) => ({
      ...instruction,
      instructionId: idOf(instruction.instructionId),
    })),
    legs: cycle.legs.map((leg) => ({
      ...leg,
      tradeId: randomUUID(),
      instructionId: idOf(leg.instructionId),
    })),
  };
}
