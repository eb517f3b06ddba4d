import { isForbidden, isNotFound } from "../api/api-error.ts";
import type { Client } from "../api/client.ts";
import { type KubeObject, keyOf, type ObjectKey } from "../api/object.ts";
import type { Selector } from "../api/requests.ts";
import { nameOf, namespaces as namespaceResource, type Resource } from "../api/resource.ts";
import { InvalidObjectError, parseObject } from "../api/schema.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import { Reflector, type ReflectorObserver } from "./reflector.ts";
import { type Change, type FreezeDepth, type IndexFunction, type Lookup, Store } from "./store.ts";

/** Reads that cost no request. Objects are frozen and shared: copy an object before changing it. */
export interface CacheReader<T extends KubeObject = KubeObject> {
  /** The object, if the cache has it. */
  get(key: ObjectKey): T | undefined;
  /** All of them, or those in a namespace, or those whose labels are all equal to these. A lookup by namespace or labels costs what it finds. */
  list(options?: Lookup): T[];
  /**
   * Those that the index files under `value`. The index is one that `indexField` added, by its name, or the function itself: one that is
   * defined once (a new closure in each call would be a new index in each call), and whose index is made when it is first used.
   */
  byIndex(index: string | IndexFunction<T>, value: string): T[];
}

/**
 * `cache(pods).get({ namespace, name })`. A cache that was created with a selection is found with the same selection.
 */
export type Cache = <T extends KubeObject>(resource: Resource<T>, selection?: CacheSelection) => CacheReader<T>;

/** Called for each change, in the order in which the cache receives them. It must not block. */
export type ChangeHandler<T extends KubeObject> = (change: Change<T>) => void;

/** Which objects of a resource a cache holds, and how much of each. Selectors work on the server: what they exclude costs nothing here. */
export interface CacheSelection {
  readonly labelSelector?: Selector;
  readonly fieldSelector?: Selector;
  /** Objects have only `metadata`: a fraction of the memory where labels, owners or existence are enough. */
  readonly metadataOnly?: boolean;
}

/** Options of a stand-alone Informer; `manager.cache(resource)` creates one with all of them set. */
export interface InformerOptions<T extends KubeObject> extends CacheSelection {
  readonly client: Client;
  readonly resource: Resource<T>;
  /**
   * One list and watch for each; empty: all namespaces at once. One that doesn't exist delays nothing, if the program may read
   * Namespaces; its objects come when it does.
   */
  readonly namespaces?: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
  /** From 0 to below 1: spreads waits. Default `Math.random`. */
  readonly random?: () => number;
  readonly freeze?: FreezeDepth;
  readonly pageSize?: number;
  /** As in Reflector. */
  readonly watchList?: boolean;
  /**
   * Calls the handlers for every object again (as updated, old and new the same) after this time, ±10 %; no request is
   * made. Default: never.
   */
  readonly resyncSeconds?: number;
  readonly observer?: ReflectorObserver;
}

/** An object that does not match the schema of its resource, as the server sent it. */
export interface Unfit<T extends KubeObject> {
  readonly object: T;
  readonly error: InvalidObjectError;
}

/** One shared cache of one resource: reflectors fill its store, handlers receive its changes. */
export class Informer<T extends KubeObject> implements CacheReader<T> {
  readonly resource: Resource<T>;
  readonly #options: InformerOptions<T>;
  readonly #store: Store<T>;
  readonly #handlers: ChangeHandler<T>[] = [];
  readonly #unfit = new Map<string, Unfit<T>>();
  readonly #unfitHandlers: ((object: T) => void)[] = [];
  readonly #namespaces: readonly (string | undefined)[];
  readonly #unsynced: Set<string | undefined>;
  readonly #synced = Promise.withResolvers<void>();
  /** Requests that find out whether a namespace exists. */
  readonly #lookups = new Set<Promise<void>>();
  #lastError: Error | undefined;

  constructor(options: InformerOptions<T>) {
    this.resource = options.resource;
    this.#options = options;
    const indexFailed = (index: string, { metadata }: T, error: unknown) =>
      options.logger.error(
        `the index ${index} has no values for ${options.resource.kind} ${keyOf(metadata)}, which is filed nowhere in it`,
        { error },
      );
    this.#store = new Store<T>({ freeze: options.freeze, indexFailed });
    this.#namespaces = options.resource.namespaced && options.namespaces?.length ? options.namespaces : [undefined];
    this.#unsynced = new Set(this.#namespaces);
  }

  /** Whether every object of the first list has reached the handlers. */
  get hasSynced(): boolean {
    return this.#unsynced.size === 0;
  }

  /** Resolves when `hasSynced` becomes true. */
  get synced(): Promise<void> {
    return this.#synced.promise;
  }

  /** The last error: the reason why a sync doesn't complete. */
  get lastError(): Error | undefined {
    return this.#lastError;
  }

  get size(): number {
    return this.#store.size;
  }

  /**
   * Receives every change from now on; existing objects come first, as added. A handler that throws is logged and does
   * not affect others.
   */
  onChange(handler: ChangeHandler<T>): void {
    this.#handlers.push(handler);
    for (const object of this.#store.values()) this.#tell(handler, { type: "added", object, initial: true });
  }

  /**
   * Receives every object, as the server sent it, that does not match the schema of the resource: whenever it changes
   * without coming to match.
   */
  onUnfit(handler: (object: T) => void): void {
    this.#unfitHandlers.push(handler);
    for (const { object } of this.#unfit.values()) handler(object);
  }

  /**
   * The object as it is now, if that does not match the schema; `get` returns its last matching state, if there is one.
   */
  unfit(key: ObjectKey): Unfit<T> | undefined {
    return this.#unfit.get(keyOf(key));
  }

  get unfitSize(): number {
    return this.#unfit.size;
  }

  /** Indexes objects under what `values` returns for them, for `byIndex`. */
  indexField(name: string, values: IndexFunction<T>): this {
    this.#store.addIndex(name, values);
    return this;
  }

  /** The object in its last state that matched the schema, if the cache has it. */
  get(key: ObjectKey): T | undefined {
    return this.#store.get(keyOf(key));
  }

  list(options: Lookup = {}): T[] {
    return this.#store.list(options);
  }

  byIndex(index: string | IndexFunction<T>, value: string): T[] {
    return this.#store.byIndex(index, value);
  }

  /** Whether its objects have only `metadata`. */
  get metadataOnly(): boolean {
    return this.#options.metadataOnly ?? false;
  }

  /** Whether it has to come to know this object. False where that can't be told: of selectors in text, and of fields. */
  willShow({ metadata }: KubeObject): boolean {
    const { labelSelector = {}, fieldSelector } = this.#options;
    if (typeof labelSelector === "string" || fieldSelector) return false;
    if (!this.#namespaces.includes(undefined) && !this.#namespaces.includes(metadata.namespace)) return false;
    return Object.entries(labelSelector).every(([name, value]) => metadata.labels?.[name] === value);
  }

  /** Lists and watches until the signal aborts; resolves once no request is left. */
  async run(signal: AbortSignal): Promise<void> {
    this.#scheduleResync(signal);
    await Promise.all(this.#namespaces.map((namespace) => this.#reflector(namespace, signal).run(signal)));
    await Promise.all(this.#lookups);
  }

  #reflector(namespace: string | undefined, signal: AbortSignal): Reflector<T> {
    const { resource, observer, ...options } = this.#options;
    const inScope = (object: T) => namespace === undefined || object.metadata.namespace === namespace;
    const sink = {
      replace: (objects: readonly T[]) => {
        const listed = new Set(objects.map(({ metadata }) => keyOf(metadata)));
        for (const [key, { object }] of this.#unfit) if (inScope(object) && !listed.has(key)) this.#unfit.delete(key);
        const parsed = resource.schema ? objects.map((object) => this.#fit(object)).filter((object) => object !== undefined) : objects;
        this.#publish(this.#store.replace(parsed, this.#unsynced.has(namespace), inScope));
        this.#lastError = undefined;
        this.#complete(namespace);
      },
      put: (object: T) => {
        const known = this.#store.get(keyOf(object.metadata));
        const fitting = this.#fit(object);
        if (fitting) this.#publish(this.#store.put(fitting));
        else if (known && known.metadata.uid !== object.metadata.uid) this.#publish(this.#store.remove(known));
      },
      remove: (object: T) => {
        const key = keyOf(object.metadata);
        const unfit = this.#unfit.get(key);
        if (unfit?.object.metadata.uid === object.metadata.uid) this.#unfit.delete(key);
        // Handlers that received the object receive its deletion with its last matching state; other controllers'
        // queues are notified here.
        const told = this.#store.remove({ ...(this.#parse(object) ?? this.#store.get(key) ?? object), metadata: object.metadata });
        this.#publish(told);
        if (unfit && told.length === 0) this.#tellUnfit(object);
      },
    };
    const watched: ReflectorObserver = {
      ...observer,
      failed: (error, retryMilliseconds) => {
        this.#lastError = error;
        const fields = { resource: nameOf(resource), namespace, error: error.message, retryMilliseconds: Math.round(retryMilliseconds) };
        this.#options.logger.warn(`the cache of ${nameOf(resource)} lost touch with the server and tries again`, fields);
        observer?.failed?.(error, retryMilliseconds);
        if (namespace === undefined || !this.#unsynced.has(namespace) || !(isForbidden(error) || isNotFound(error))) return;
        const lookup = this.#passOverMissing(namespace, signal).finally(() => this.#lookups.delete(lookup));
        this.#lookups.add(lookup);
      },
    };
    return new Reflector({ ...options, resource, sink, namespace, observer: watched });
  }

  /** With a namespace its RoleBindings are deleted, so lists in it are forbidden; one that doesn't exist has no objects. */
  async #passOverMissing(namespace: string, signal: AbortSignal): Promise<void> {
    const isMissing = await this.#options.client.find(namespaceResource, { name: namespace }, { signal }).then(
      (found) => found === undefined,
      () => false,
    );
    if (!isMissing) return;
    this.#options.logger.warn(`namespace ${namespace} doesn't exist; its ${nameOf(this.resource)} are seen when it does`);
    this.#complete(namespace);
  }

  #complete(namespace: string | undefined): void {
    this.#unsynced.delete(namespace);
    if (this.#unsynced.size === 0) this.#synced.resolve();
  }

  #scheduleResync(signal: AbortSignal): void {
    const { resyncSeconds, clock, random = Math.random } = this.#options;
    if (!resyncSeconds || signal.aborted) return;
    const cancel = clock.schedule(resyncSeconds * 1000 * (0.9 + 0.2 * random()), () => {
      signal.removeEventListener("abort", cancel);
      if (this.hasSynced) this.#publish([...this.#store.values()].map((object) => ({ type: "updated", object, old: object })));
      this.#scheduleResync(signal);
    });
    signal.addEventListener("abort", cancel, { once: true });
  }

  /**
   * The object as parsed by the schema. One that does not match is recorded and reported; its last matching state is
   * kept.
   */
  #fit(object: T): T | undefined {
    const key = keyOf(object.metadata);
    const fitting = this.#parse(object, (error) => this.#unfit.set(key, { object, error }));
    if (fitting) {
      this.#unfit.delete(key);
      return fitting;
    }
    this.#options.logger.error("an object does not fit the schema of its resource; the last state that did stays in the cache", {
      error: this.#unfit.get(key)?.error,
    });
    this.#tellUnfit(object);
    const known = this.#store.get(key);
    return known?.metadata.uid === object.metadata.uid ? known : undefined;
  }

  #parse(object: T, failed: (error: InvalidObjectError) => void = () => undefined): T | undefined {
    if (!this.resource.schema || this.metadataOnly) return object;
    try {
      return parseObject(this.resource, object);
    } catch (error) {
      failed(error instanceof InvalidObjectError ? error : new InvalidObjectError(object, error));
      return undefined;
    }
  }

  #tellUnfit(object: T): void {
    for (const handler of this.#unfitHandlers) handler(object);
  }

  #publish(changes: readonly Change<T>[]): void {
    for (const change of changes) {
      for (const handler of this.#handlers) this.#tell(handler, change);
    }
  }

  #tell(handler: ChangeHandler<T>, change: Change<T>): void {
    try {
      handler(change);
    } catch (error) {
      const { kind, metadata } = change.object;
      this.#options.logger.error(`a handler failed on a change of ${kind} ${keyOf(metadata)}; the others and the cache go on`, { error });
    }
  }
}
