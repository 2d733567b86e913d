import type { AnyStateMachine, AnyStateNode, AnyTransitionDefinition } from "xstate";

/** Every transition a machine has, as state, event and place among the state's answers to it. */
export function transitionsOf(machine: AnyStateMachine): string[] {
  return nodesOf(machine.root).flatMap((state) =>
    [...state.transitions.values(), state.always ?? []].flat().map(nameOf),
  );
}

export function nameOf(transition: AnyTransitionDefinition): string {
  const { eventType, source } = transition;
  const answers = source.transitions.get(eventType) ?? source.always ?? [];
  const path = source.path.length === 0 ? source.key : source.path.join(".");
  return `${path} ${eventType || "always"} #${answers.indexOf(transition) + 1}`;
}

function nodesOf(node: AnyStateNode): AnyStateNode[] {
  return [node, ...Object.values(node.states).flatMap(nodesOf)];
}
