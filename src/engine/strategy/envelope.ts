import { hash } from "node:crypto";
import type { SnapshotFrom } from "xstate";
import { storedMachines, type StoredMachine, type StoredSnapshot } from "#machines/registry.ts";
import { strategyMachine, type StrategyContext } from "#machines/strategy.machine.ts";
import { errorMessage } from "#domain/errors.ts";
import type { SnapshotEnvelope } from "#domain/snapshot.ts";
import type { StrategyState } from "#domain/strategy.ts";

const MACHINE = "strategy";
/** The version that stored the context without the rest of the snapshot. */
const CONTEXT_ALONE = 1;

type StrategySnapshot = SnapshotFrom<typeof strategyMachine>;

/** What a strategy is stored as: what XState persists of it, sealed with a hash that shows damage. */
export function seal(
  snapshot: StrategySnapshot,
  { version }: Pick<StoredMachine, "version"> = storedMachines.strategy,
): SnapshotEnvelope {
  const { context, status, value } = snapshot;
  // What `getPersistedSnapshot` gives, which copies the whole context to find actors there are none of.
  const text = JSON.stringify({ status, value, historyValue: {}, context, children: {} });
  return { machine: MACHINE, version, value, hash: digest(version, value, text), snapshot: text };
}

/** As `seal`, of a state and context that no actor is at. */
export function sealAt(
  at: { value: StrategyState; context: StrategyContext },
  stored: Pick<StoredMachine, "version"> = storedMachines.strategy,
): SnapshotEnvelope {
  return seal(strategyMachine.resolveState(at), stored);
}

export type Unsealed =
  | { ok: true; value: StrategyState; context: StrategyContext }
  | {
      ok: false;
      reason: "unknown_machine" | "unknown_version" | "hash_mismatch" | "unreadable" | "invalid";
      detail: string;
    };

/** Opens a stored snapshot; anything this build cannot vouch for comes back as a reason, never guessed. */
export function unseal(
  envelope: SnapshotEnvelope,
  known: StoredMachine = storedMachines.strategy,
): Unsealed {
  const { machine, version, value } = envelope;
  if (machine !== MACHINE) {
    return refuse("unknown_machine", `expected machine "${MACHINE}", was "${machine}"`);
  }
  if (version > known.version) {
    return refuse(
      "unknown_version",
      `expected version up to ${known.version}, was ${version}: written by a newer build`,
    );
  }
  if (digest(version, value, envelope.snapshot) !== envelope.hash) {
    return refuse("hash_mismatch", "the stored snapshot does not match its hash");
  }
  const present = migrated(envelope, known);
  if (!present.ok) return present;
  const { value: state, context } = present.stored;
  if (!isState(state, known)) return refuse("invalid", `unknown state "${state}"`);
  if (!known.isContext(context)) return refuse("invalid", known.problems(context));
  return { ok: true, value: state, context };
}

type Refusal = Unsealed & { ok: false };

function migrated(
  envelope: SnapshotEnvelope,
  { version: current, migrations }: StoredMachine,
): { ok: true; stored: StoredSnapshot } | Refusal {
  const { version: from } = envelope;
  let stored: StoredSnapshot;
  try {
    stored = parsed(envelope);
  } catch (error) {
    return refuse("unreadable", errorMessage(error));
  }
  for (let version = from; version < current; version += 1) {
    const migrate = migrations[version];
    const step = `from version ${version} to ${version + 1}`;
    if (migrate === undefined) return refuse("unknown_version", `no migration ${step}`);
    try {
      stored = migrate(stored);
    } catch (error) {
      return refuse("invalid", `the migration ${step} failed: ${errorMessage(error)}`);
    }
  }
  return { ok: true, stored };
}

/** @throws SyntaxError; Error when it is no snapshot of the state the envelope names */
function parsed({ version, value, snapshot }: SnapshotEnvelope): StoredSnapshot {
  const stored: unknown = JSON.parse(snapshot);
  if (version === CONTEXT_ALONE) return { value, context: stored };
  if (typeof stored !== "object" || stored === null || !("context" in stored)) {
    throw new Error("expected a snapshot with a context");
  }
  if (!("value" in stored) || stored.value !== value) {
    throw new Error(`expected a snapshot in the state "${value}"`);
  }
  return { value, context: stored.context };
}

function isState(value: string, { states }: StoredMachine): value is StrategyState {
  return states.some((state) => state === value);
}

function digest(version: number, value: string, text: string): string {
  return hash("sha256", `${MACHINE}\n${version}\n${value}\n${text}`);
}

function refuse(reason: Refusal["reason"], detail: string): Refusal {
  return { ok: false, reason, detail };
}
