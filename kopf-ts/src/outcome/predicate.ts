import { isDeepStrictEqual } from "node:util";
import type { KubeObject } from "../api/object.ts";
import type { Change } from "../cache/store.ts";

/** Whether a change is worth a reconcile. An object created anew under an old name is a deletion and an addition, never an update. */
export type Predicate<T extends KubeObject = KubeObject> = (change: Change<T>) => boolean;

const onUpdate =
  (differs: (object: KubeObject, old: KubeObject) => boolean): Predicate =>
  (change) =>
    change.type !== "updated" || differs(change.object, change.old);

/** Updates of the spec, but not of status or metadata. Only for kinds whose generation the server raises. A deletion that begins passes too: it raises the generation. */
export const generationChanged: Predicate = onUpdate((object, old) => object.metadata.generation !== old.metadata.generation);

export const labelsChanged: Predicate = onUpdate((object, old) => !isDeepStrictEqual(object.metadata.labels, old.metadata.labels));

export const annotationsChanged: Predicate = onUpdate(
  (object, old) => !isDeepStrictEqual(object.metadata.annotations, old.metadata.annotations),
);

/** Updates that change what the field function answers. */
export function fieldChanged<T extends KubeObject>(field: (object: T) => unknown): Predicate<T> {
  return (change) => change.type !== "updated" || !isDeepStrictEqual(field(change.object), field(change.old));
}

export function anyOf<T extends KubeObject>(...predicates: readonly Predicate<T>[]): Predicate<T> {
  return (change) => predicates.some((predicate) => predicate(change));
}

export function allOf<T extends KubeObject>(...predicates: readonly Predicate<T>[]): Predicate<T> {
  return (change) => predicates.every((predicate) => predicate(change));
}

export function not<T extends KubeObject>(predicate: Predicate<T>): Predicate<T> {
  return (change) => !predicate(change);
}
