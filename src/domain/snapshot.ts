/** One actor as stored: which machine and version wrote it, and a hash that shows damage. */
export interface SnapshotEnvelope {
  machine: string;
  version: number;
  /** SHA-256 (hex) over machine, version, value and the context's text. */
  hash: string;
  value: string;
  /** The machine's context as JSON text, stored as text: `jsonb` would reorder its keys. */
  context: string;
}
