// Conventions of the API: money, quantities and prices are decimal strings, instants are numbers of
// milliseconds UTC, ratios are fractions (0.05 is 5 %) unless the name ends in `_pct`.
import { z } from "zod";
import { idInput, lineInput } from "#domain/inputs.ts";
import type { Page } from "#services/records.ts";

export const id = idInput;

/** Of an answer. */
export const amount = z.string().regex(/^-?\d+(\.\d+)?$/, "expected a decimal number as a string");

/** ms UTC */
export const instant = z.number();

export const json = z.record(z.string(), z.json());

export const ofStrategy = z.strictObject({ strategyId: id });

export const pageRequest = {
  /** `nextCursor` of the page before. */
  cursor: lineInput(1_000).nullish(),
  limit: z.int().min(1).max(200).default(50),
};

export function pageOf<Item extends z.ZodType>(item: Item) {
  return z.object({ items: z.array(item), nextCursor: z.string().nullable() });
}

/** An absent cursor as the services take it: left out. */
export function pageWanted({
  cursor,
  limit,
}: {
  cursor?: string | null | undefined;
  limit: number;
}) {
  return cursor === undefined || cursor === null ? { limit } : { limit, cursor };
}

export function mapPage<From, To>({ items, nextCursor }: Page<From>, map: (item: From) => To) {
  return { items: items.map(map), nextCursor };
}
