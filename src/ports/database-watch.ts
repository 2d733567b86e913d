/** The database is away, or takes no writes. */
export interface Outage {
  /** ms UTC, real time. */
  since: number;
  /** In the words of the newest failure. */
  reason: string;
}

/** Knows which failures mean that the database is away, and tells the operator once for all of them. */
export interface DatabaseWatch {
  /** The outage that goes on now; null while the database does its work. */
  readonly outage: Outage | null;
  /** How many outages are over. */
  readonly recoveries: number;
  /** Hears of a failure; true when an outage explains it, so that the caller need not tell of it. */
  blames(error: unknown): boolean;
  /** As `blames`, for what a database driver itself threw. */
  blamesDriver(error: unknown): boolean;
}

/** For whoever wants every failure told where it happens. */
export const unwatched: DatabaseWatch = {
  outage: null,
  recoveries: 0,
  blames: () => false,
  blamesDriver: () => false,
};
