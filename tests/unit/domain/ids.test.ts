import { v5 } from "uuid";
import { describe, expect, test } from "vitest";
import { composeIdOf, definitionIdOf, instructionIdOf, tickIdOf, tradeIdOf } from "#domain/ids.ts";

const namespace = "6a1d4f0e-6f0f-5a52-9d0e-7a5b1f3c9e21";
const strategyId = "0c7d9c3e-6f0f-4a52-9d0e-7a5b1f3c9e21";

describe("derived ids", () => {
  test("are version 5 UUIDs of their parts", () => {
    expect(tickIdOf(strategyId, 1_600_000_000_000)).toBe(
      v5(`tick/${strategyId}/1600000000000`, namespace),
    );
    expect(composeIdOf(strategyId, "stop/1")).toBe(v5(`cycle/${strategyId}/stop/1`, namespace));
    expect(instructionIdOf(strategyId, 0)).toBe(v5(`instruction/${strategyId}/0`, namespace));
    expect(tradeIdOf(strategyId, 0, 2)).toBe(v5(`trade/${strategyId}/0/2`, namespace));
  });

  test("have the right variant whatever the digest", () => {
    for (let index = 0; index < 64; index += 1) {
      expect(definitionIdOf(`n${index}`)).toBe(v5(`definition/n${index}`, namespace));
    }
  });

  test("take names in any script", () => {
    expect(definitionIdOf("动量 ×2")).toBe(v5("definition/动量 ×2", namespace));
  });
});
