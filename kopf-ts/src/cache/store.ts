import { type KubeObject, keyOf } from "../api/object.ts";

/** One step in the life of an object, as a cache saw it. `initial`: it was there at the first list. */
export type Change<T extends KubeObject> =
  | { readonly type: "added"; readonly object: T; readonly initial: boolean }
  | { readonly type: "updated"; readonly object: T; readonly old: T }
  | { readonly type: "deleted"; readonly object: T };

/** True for a resync: the object did not change. */
export function isResync<T extends KubeObject>(change: Change<T>): boolean {
  return change.type === "updated" && change.old === change.object;
}

/** The values under which an object is found. */
export type IndexFunction<T extends KubeObject> = (object: T) => readonly string[] | string | undefined;

/** Called for an object for which an index function failed. */
export type IndexFailed<T extends KubeObject> = (index: string, object: T, error: unknown) => void;

/** Which objects of a cache to list; all of them without either. */
export interface Lookup {
  readonly namespace?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}

const namespaceOf: IndexFunction<KubeObject> = ({ metadata }) => metadata.namespace;

interface Index<T extends KubeObject> {
  readonly name: string;
  readonly values: IndexFunction<T>;
  readonly keys: Map<string, Set<string>>;
  /** The values of each key. */
  readonly filed: Map<string, readonly string[]>;
}

/** How much of a cached object is frozen: itself, its metadata, spec and status; or everything in it. */
export type FreezeDepth = "shallow" | "deep";

/**
 * A resource's cached objects, by key. Objects are frozen, never copied, and have no `managedFields`.
 * Every method that stores objects returns what changed; an object with the stored resource version is no change,
 * and one with a new UID is the old one's deletion and another's creation.
 */
export class Store<T extends KubeObject> {
  readonly #objects = new Map<string, T>();
  readonly #indexes = new Map<string | IndexFunction<T>, Index<T>>();
  readonly #labelValues = new Map<string, IndexFunction<T>>();
  readonly #freeze: FreezeDepth;
  readonly #indexFailed: IndexFailed<T>;

  constructor(options: { freeze?: FreezeDepth; indexFailed?: IndexFailed<T> } = {}) {
    this.#freeze = options.freeze ?? "shallow";
    this.#indexFailed = options.indexFailed ?? (() => undefined);
  }

  get size(): number {
    return this.#objects.size;
  }

  get(key: string): T | undefined {
    return this.#objects.get(key);
  }

  values(): IterableIterator<T> {
    return this.#objects.values();
  }

  /** Adds an index, filled from the stored objects. */
  addIndex(name: string, values: IndexFunction<T>): void {
    if (this.#indexes.has(name)) throw new Error(`the index ${name} exists already`);
    this.#add(name, name, values);
  }

  /** The objects that an index files under `value`. An index function is its own index, made when it is first used. */
  byIndex(index: string | IndexFunction<T>, value: string): T[] {
    const known = this.#indexes.get(index);
    if (!known && typeof index === "string")
      throw new Error(`there is no index ${index}; add it with indexField before the manager starts`);
    const { keys } = known ?? this.#add(index, (index as IndexFunction<T>).name, index as IndexFunction<T>);
    const found: T[] = [];
    for (const key of keys.get(value) ?? []) found.push(this.#objects.get(key) as T);
    return found;
  }

  /**
   * The objects of a namespace, or of all, whose labels are all equal to these. The first label, or without labels the
   * namespace, is looked up in an index, made when it is first used.
   */
  list({ namespace, labels = {} }: Lookup = {}): T[] {
    const [first, ...others] = Object.entries(labels);
    if (!first) return namespace === undefined ? [...this.#objects.values()] : this.byIndex(namespaceOf, namespace);
    return this.byIndex(this.#valuesOfLabel(first[0]), first[1]).filter(
      ({ metadata }) =>
        (namespace === undefined || metadata.namespace === namespace) && others.every(([name, value]) => metadata.labels?.[name] === value),
    );
  }

  #valuesOfLabel(name: string): IndexFunction<T> {
    const known = this.#labelValues.get(name);
    if (known) return known;
    const values: IndexFunction<T> = ({ metadata }) => metadata.labels?.[name];
    this.#labelValues.set(name, values);
    return values;
  }

  #add(id: string | IndexFunction<T>, name: string, values: IndexFunction<T>): Index<T> {
    const index: Index<T> = { name, values, keys: new Map(), filed: new Map() };
    this.#indexes.set(id, index);
    for (const [key, object] of this.#objects) this.#file(index, key, object);
    return index;
  }

  /** The news of an ADDED or MODIFIED event. */
  put(object: T, initial = false): Change<T>[] {
    const key = keyOf(object.metadata);
    const old = this.#objects.get(key);
    if (old && old.metadata.resourceVersion === object.metadata.resourceVersion && old.metadata.uid === object.metadata.uid) return [];
    const stored = this.#seal(object);
    this.#objects.set(key, stored);
    for (const index of this.#indexes.values()) this.#file(index, key, stored);
    if (!old) return [{ type: "added", object: stored, initial }];
    if (old.metadata.uid === stored.metadata.uid) return [{ type: "updated", object: stored, old }];
    return [
      { type: "deleted", object: old },
      { type: "added", object: stored, initial: false },
    ];
  }

  /** The changes by a DELETED event. One about an older object of the same name changes nothing. */
  remove(object: T): Change<T>[] {
    const key = keyOf(object.metadata);
    const old = this.#objects.get(key);
    if (!old || old.metadata.uid !== object.metadata.uid) return [];
    this.#drop(key);
    return [{ type: "deleted", object: this.#seal(object) }];
  }

  /**
   * The changes by a complete list. Objects within `scope` that are not in it are deleted, with their last stored
   * state.
   */
  replace(objects: readonly T[], initial: boolean, scope: (object: T) => boolean = () => true): Change<T>[] {
    const listed = new Set(objects.map((object) => keyOf(object.metadata)));
    const changes: Change<T>[] = [];
    for (const [key, old] of this.#objects) {
      if (listed.has(key) || !scope(old)) continue;
      this.#drop(key);
      changes.push({ type: "deleted", object: old });
    }
    for (const object of objects) changes.push(...this.put(object, initial));
    return changes;
  }

  #drop(key: string): void {
    this.#objects.delete(key);
    for (const index of this.#indexes.values()) leave(index, key);
  }

  /**
   * Files an object by its values. One whose values stay keeps its place, so that lookups have a steady order. One for
   * which the index function fails is not in the index; it is still cached and reported as a change.
   */
  #file(index: Index<T>, key: string, object: T): void {
    const before = index.filed.get(key) ?? [];
    const values = this.#valuesIn(index, object);
    if (values.length === before.length && values.every((value, position) => value === before[position])) return;
    leave(index, key);
    if (values.length > 0) index.filed.set(key, values);
    for (const value of values) {
      const keys = index.keys.get(value);
      if (keys) keys.add(key);
      else index.keys.set(value, new Set([key]));
    }
  }

  #valuesIn(index: Index<T>, object: T): readonly string[] {
    try {
      return valuesOf(index, object);
    } catch (error) {
      this.#indexFailed(index.name, object, error);
      return [];
    }
  }

  #seal(object: T): T {
    // Not deleted: that would turn the object into a slow, large dictionary.
    if (object.metadata.managedFields) object.metadata.managedFields = undefined;
    if (this.#freeze === "deep") return deepFreeze(object);
    Object.freeze(object.metadata);
    const { spec, status } = object;
    if (spec) Object.freeze(spec);
    if (status) Object.freeze(status);
    return Object.freeze(object);
  }
}

function leave<T extends KubeObject>(index: Index<T>, key: string): void {
  for (const value of index.filed.get(key) ?? []) {
    const keys = index.keys.get(value);
    keys?.delete(key);
    if (keys?.size === 0) index.keys.delete(value);
  }
  index.filed.delete(key);
}

function valuesOf<T extends KubeObject>(index: Index<T>, object: T): readonly string[] {
  const values = index.values(object);
  if (values === undefined) return [];
  return typeof values === "string" ? [values] : values;
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) {
    if (typeof part === "object" && part !== null && !Object.isFrozen(part)) deepFreeze(part);
  }
  return Object.freeze(value);
}
