import type { KubeObject } from "../api/object.ts";
import type { FieldPath } from "../api/written.ts";
import type { ObjectView } from "./context.ts";

/** A value that must be equal; `true`: present, with any value; `false`: absent; or a function that decides. */
export type ValueFilter = string | boolean | ((value: string | undefined) => boolean);

/** Which objects a handler is for. All of them must hold. */
export interface Filters<T extends KubeObject> {
  readonly labels?: Readonly<Record<string, ValueFilter>>;
  readonly annotations?: Readonly<Record<string, ValueFilter>>;
  /** Handlers of changes: only if this field changed (at a creation: if it is there). Others: only if it is there. */
  readonly field?: FieldPath<T>;
  /** Must answer quickly and without effects. */
  readonly when?: (view: ObjectView<T>) => boolean;
}

/** Whether all filters but `field` hold: that one is about a change, not about an object. */
export function matches<T extends KubeObject>(filters: Filters<T>, view: ObjectView<T>): boolean {
  return (
    holdsAll(filters.labels, view.meta.labels) && holdsAll(filters.annotations, view.meta.annotations) && (filters.when?.(view) ?? true)
  );
}

function holdsAll(filters: Filters<KubeObject>["labels"], values: Readonly<Record<string, string>> = {}): boolean {
  return Object.entries(filters ?? {}).every(([name, filter]) => holds(filter, values[name]));
}

function holds(filter: ValueFilter, value: string | undefined): boolean {
  if (typeof filter === "function") return filter(value);
  return typeof filter === "boolean" ? filter === (value !== undefined) : filter === value;
}
