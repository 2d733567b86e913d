import { hash } from "node:crypto";
import { storedMachines } from "#machines/registry.ts";
import type { StrategyContext } from "#machines/strategy.machine.ts";
import type { SnapshotEnvelope } from "#domain/snapshot.ts";
import type { StrategyState } from "#domain/strategy.ts";

const MACHINE = "strategy";

/**
 * What a strategy is stored as. The hash covers the JSON text of the context, which storage keeps
 * as it was written.
 */
export function seal(value: StrategyState, context: StrategyContext): SnapshotEnvelope {
  const { version } = storedMachines.strategy;
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
export function unseal(envelope: SnapshotEnvelope): Unsealed {
  const { machine, version, value } = envelope;
  if (machine !== MACHINE) {
    return refuse("unknown_machine", `expected machine "${MACHINE}", was "${machine}"`);
  }
  const known = storedMachines.strategy;
  if (version > known.version) {
    return refuse(
      "unknown_version",
      `expected version up to ${known.version}, was ${version}: written by a newer build`,
    );
  }
  if (digest(version, value, envelope.context) !== envelope.hash) {
    return refuse("hash_mismatch", "the stored context does not match its hash");
  }
  const context = migrated(envelope);
  if (!context.ok) return context;
  if (!isState(value)) return refuse("invalid", `unknown state "${value}"`);
  if (!known.isContext(context.value)) return refuse("invalid", known.problems(context.value));
  return { ok: true, value, context: context.value };
}

function migrated(
  envelope: SnapshotEnvelope,
): { ok: true; value: unknown } | (Unsealed & { ok: false }) {
  let context: unknown;
  try {
    context = JSON.parse(envelope.context);
  } catch (error) {
    return refuse("unreadable", String(error));
  }
  const { version: current, migrations } = storedMachines.strategy;
  for (let version = envelope.version; version < current; version += 1) {
    const migrate = migrations[version];
    if (migrate === undefined) {
      return refuse("unknown_version", `no migration from version ${version} to ${version + 1}`);
    }
    context = migrate(context);
  }
  return { ok: true, value: context };
}

function isState(value: string): value is StrategyState {
  return storedMachines.strategy.states.some((state) => state === value);
}

function digest(version: number, value: string, context: string): string {
  return hash("sha256", `${MACHINE}\n${version}\n${value}\n${context}`);
}

function refuse(
  reason: (Unsealed & { ok: false })["reason"],
  detail: string,
): Unsealed & { ok: false } {
  return { ok: false, reason, detail };
}
