import { isDeepStrictEqual } from "node:util";
import type { KubeObject } from "../api/object.ts";
import type { Change } from "../cache/store.ts";

/**
 * Whether a change is worth a reconcile. An object recreated under an old name is a deletion and an addition, never an
 * update.
 */
export type Predicate<T extends KubeObject = KubeObject> = (change: Change<T>) => boolean;

const onUpdate =
  (differs: (object: KubeObject, old: KubeObject) => boolean): Predicate =>
  (change) =>
    change.type !== "updated" || differs(change.object, change.old);

/** Updates of the spec, but not of status or metadata. Only for kinds whose generation the server raises. A deletion that begins passes too: it raises the generation. */
export const generationChanged: Predicate = onUpdate((object, old) => object.metadata.generation !== old.metadata.generation);

/** Updates that change labels. */
export const labelsChanged: Predicate = onUpdate((object, old) => !isDeepStrictEqual(object.metadata.labels, old.metadata.labels));

/** Updates that change annotations. */
export const annotationsChanged: Predicate = onUpdate(
  (object, old) => !isDeepStrictEqual(object.metadata.annotations, old.metadata.annotations),
);

/**
 * Updates that change what the function returns; additions and deletions pass.
 *
 * @example
 * ```ts
 * import { type DynamicObject, fieldChanged, Manager, pods, unchanged } from "kopf-ts";
 *
 * declare const manager: Manager;
 * manager
 *   .controller("phases")
 *   .for(pods, { predicate: fieldChanged((pod: DynamicObject) => pod.status?.phase) })
 *   .complete(() => unchanged());
 * ```
 */
export function fieldChanged<T extends KubeObject>(field: (object: T) => unknown): Predicate<T> {
  return (change) => change.type !== "updated" || !isDeepStrictEqual(field(change.object), field(change.old));
}

/** Passes what at least one of them passes. */
export function anyOf<T extends KubeObject>(...predicates: readonly Predicate<T>[]): Predicate<T> {
  return (change) => predicates.some((predicate) => predicate(change));
}

/** Passes what all of them pass. */
export function allOf<T extends KubeObject>(...predicates: readonly Predicate<T>[]): Predicate<T> {
  return (change) => predicates.every((predicate) => predicate(change));
}

/** Passes what the other does not. */
export function not<T extends KubeObject>(predicate: Predicate<T>): Predicate<T> {
  return (change) => !predicate(change);
}
