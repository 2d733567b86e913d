import { hash } from "node:crypto";
import { storedMachines, type StoredMachine, type StoredSnapshot } from "#machines/registry.ts";
import type { StrategyContext } from "#machines/strategy.machine.ts";
import { errorMessage } from "#domain/errors.ts";
import type { SnapshotEnvelope } from "#domain/snapshot.ts";
import type { StrategyState } from "#domain/strategy.ts";

const MACHINE = "strategy";

/**
 * What a strategy is stored as. The hash covers the JSON text of the context, which storage keeps
 * as it was written.
 */
export function seal(
  value: StrategyState,
  context: StrategyContext,
  { version }: Pick<StoredMachine, "version"> = storedMachines.strategy,
): SnapshotEnvelope {
  const text = JSON.stringify(context);
  return {
    machine: MACHINE,
    version,
    value,
    hash: digest(version, value, text),
    context: text,
  };
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
  if (digest(version, value, envelope.context) !== envelope.hash) {
    return refuse("hash_mismatch", "the stored context does not match its hash");
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
  { version: from, value, context: text }: SnapshotEnvelope,
  { version: current, migrations }: StoredMachine,
): { ok: true; stored: StoredSnapshot } | Refusal {
  let stored: StoredSnapshot;
  try {
    stored = { value, context: JSON.parse(text) };
  } catch (error) {
    return refuse("unreadable", String(error));
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

function isState(value: string, { states }: StoredMachine): value is StrategyState {
  return states.some((state) => state === value);
}

function digest(version: number, value: string, context: string): string {
  return hash("sha256", `${MACHINE}\n${version}\n${value}\n${context}`);
}

function refuse(reason: Refusal["reason"], detail: string): Refusal {
  return { ok: false, reason, detail };
}
