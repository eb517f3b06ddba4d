import type { DynamicObject } from "kopf-ts";
import { podStatusOf } from "./problems.ts";

/*
 * A pod exists for one program. Meshes and agents of an installation add containers in any order, some of which never
 * end, so the program's result is read from its own container, found by name.
 */

/** How a pod's program ended, or undefined while it runs. */
export function endOf(pod: DynamicObject, container: string) {
  const { initContainerStatuses, containerStatuses } = podStatusOf(pod);
  return [...initContainerStatuses, ...containerStatuses].find(({ name }) => name === container)?.state.terminated;
}

/** Whether the program has ended and another container keeps the pod running: such a pod only ends by deletion. */
export function isOutlived(pod: DynamicObject, container: string): boolean {
  const others = podStatusOf(pod).containerStatuses.filter(({ name }) => name !== container);
  return !pod.metadata.deletionTimestamp && endOf(pod, container) !== undefined && others.some(({ state }) => !state.terminated);
}
