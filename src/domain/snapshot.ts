/** One actor as stored: which machine and version wrote it, and a hash that shows damage. */
export interface SnapshotEnvelope {
  machine: string;
  version: number;
  /** SHA-256 (hex) over machine, version, value and the snapshot's text. */
  hash: string;
  /** The state's name, for those who look rows up; the snapshot says it too. */
  value: string;
  /**
   * What XState persists of the actor, as JSON text: `createActor(machine, { snapshot })` restores it.
   * Stored as text, because `jsonb` would reorder its keys. Version 1 stored the context alone.
   */
  snapshot: string;
}
