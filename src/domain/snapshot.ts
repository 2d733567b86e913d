/** One actor as stored: which machine and version wrote it, and a hash that shows damage. */
export interface SnapshotEnvelope {
  machine: string;
  version: number;
  /** SHA-256 (hex) over machine, version, value and the context's text. */
  hash: string;
  value: string;
  /**
   * The machine's context as JSON text, stored in a column of type `json` or `text`, which keep it to
   * the letter (`jsonb` would reorder its keys and break the hash).
   */
  context: string;
}
