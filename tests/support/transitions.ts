import type { AnyStateMachine, AnyTransitionDefinition } from "xstate";

/** Every transition a flat machine has, as state, event and place among the state's answers to it. */
export function transitionsOf(machine: AnyStateMachine): string[] {
  return Object.values(machine.states).flatMap((state) =>
    [...state.transitions.values()].flat().map(nameOf),
  );
}

export function nameOf(transition: AnyTransitionDefinition): string {
  const { eventType, source } = transition;
  const place = source.transitions.get(eventType)?.indexOf(transition) ?? -1;
  return `${source.key} ${eventType} #${place + 1}`;
}
