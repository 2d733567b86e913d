/** Plain JSON: the only shape a snapshot, a message or a jsonb column may have. */
export type Json = string | number | boolean | null | Json[] | JsonObject;
export type JsonObject = { [key: string]: Json };
