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
