import type { JsonObject } from "./json.ts";

/** One actor as stored: which machine and version wrote it, and a hash that shows tampering or damage. */
export interface SnapshotEnvelope {
  machine: string;
  version: number;
  /** SHA-256 (hex) of machine, version, value and context in canonical JSON. */
  hash: string;
  value: string;
  context: JsonObject;
}
