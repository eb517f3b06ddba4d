import type { DynamicObject } from "kopf-ts";
import { podStatusOf } from "./problems.ts";

/*
 * A pod is there for one program. Meshes and agents of an installation put containers of theirs beside it, in any order, and some of
 * those never end: what became of the program is what its own container says, found by name.
 */

/** How a pod's program ended, or undefined while it hasn't. */
export function endOf(pod: DynamicObject, container: string) {
  const { initContainerStatuses, containerStatuses } = podStatusOf(pod);
  return [...initContainerStatuses, ...containerStatuses].find(({ name }) => name === container)?.state.terminated;
}

/** Whether the program has ended and another container keeps its pod going: nothing but the deletion that hasn't begun ends that pod. */
export function isOutlived(pod: DynamicObject, container: string): boolean {
  const others = podStatusOf(pod).containerStatuses.filter(({ name }) => name !== container);
  return !pod.metadata.deletionTimestamp && endOf(pod, container) !== undefined && others.some(({ state }) => !state.terminated);
}
