import { type KubeObject, keyOf } from "../api/object.ts";
import type { Change } from "../cache/store.ts";
import type { ObjectView } from "./context.ts";
import type { Index, IndexEntries } from "./indices.ts";

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
