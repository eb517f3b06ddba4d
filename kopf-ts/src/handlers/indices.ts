import { type KubeObject, keyOf } from "../api/object.ts";
import type { Change } from "../cache/store.ts";
import type { ObjectView } from "./context.ts";

/** What an index function returns for an object: its values, by key; undefined: none. */
export type IndexEntries<V> = Readonly<Record<string, V>> | ReadonlyMap<string, V> | undefined;

/** An in-memory view of the cluster, complete before the first handler runs and kept up to date since. */
export interface Index<V = unknown> {
  /** The values of all objects under this key. */
  get(key: string): readonly V[];
  /** Whether any object has a value under this key. */
  has(key: string): boolean;
  /** All keys that have values. */
  keys(): IterableIterator<string>;
  readonly size: number;
}

/** The indexes of an operator, by id. */
// biome-ignore lint/suspicious/noExplicitAny: what `index(…)` answers is typed; this is the same by name
export type Indices = Readonly<Record<string, Index<any>>>;

/** One index and its maintenance. */
export class LiveIndex<T extends KubeObject, V> implements Index<V> {
  readonly #entries: (view: ObjectView<T>) => IndexEntries<V>;
  readonly #values = new Map<string, Map<string, V>>();
  readonly #filed = new Map<string, readonly string[]>();

  constructor(entries: (view: ObjectView<T>) => IndexEntries<V>) {
    this.#entries = entries;
  }

  get size(): number {
    return this.#values.size;
  }
  has(key: string): boolean {
    return this.#values.has(key);
  }
  keys(): IterableIterator<string> {
    return this.#values.keys();
  }
  get(key: string): readonly V[] {
    return [...(this.#values.get(key)?.values() ?? [])];
  }

  /**
   * Follows a change; `view` returns undefined for objects that the index is not for. A function that throws adds
   * nothing.
   */
  follow(change: Change<T>, view: (object: T) => ObjectView<T> | undefined): void {
    const id = keyOf(change.object.metadata);
    this.#remove(id);
    const seen = change.type === "deleted" ? undefined : view(change.object);
    const entries = seen && this.#entries(seen);
    if (!entries) return;
    const pairs: Iterable<[string, V]> = entries instanceof Map ? entries : Object.entries(entries as Record<string, V>);
    const keys: string[] = [];
    for (const [key, value] of pairs) {
      const values = this.#values.get(key) ?? new Map<string, V>();
      this.#values.set(key, values.set(id, value));
      keys.push(key);
    }
    this.#filed.set(id, keys);
  }

  #remove(id: string): void {
    for (const key of this.#filed.get(id) ?? []) {
      const values = this.#values.get(key);
      values?.delete(id);
      if (values?.size === 0) this.#values.delete(key);
    }
    this.#filed.delete(id);
  }
}
