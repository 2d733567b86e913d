import { p, sql } from "@mikro-orm/core";

/** Money, quantity or price: exact. A decimal string, read with all of its 18 decimals. */
export const amount = () => p.decimal("string").precision(38).scale(18);

/** A share of something, never percent: 0.25 is 25 %. */
export const fraction = () => p.decimal("string").precision(38).scale(18);

/** A double: scores, confidences and leverages are doubles in the domain and come back unchanged. */
export const double = () => p.double().columnType("double precision");

/** An instant with microseconds; the domain's milliseconds fit. */
export const instant = () => p.datetime().columnType("timestamptz");

/** The database's clock, as the raw statements use it: nodes need not agree on the time. */
export const now = () => sql<Date>`now()`;

/** When the database stored and last changed the row; business times have columns of their own. */
export const timestamps = () => ({
  createdAt: instant().defaultRaw("now()"),
  updatedAt: instant().defaultRaw("now()").onUpdate(now),
});

/** A random id made by the database unless the writer derived one. */
export const randomId = () => p.uuid().primary().defaultRaw("gen_random_uuid()");
