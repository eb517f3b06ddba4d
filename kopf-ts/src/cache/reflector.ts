import { ApiError, isGone, isInvalid, SilentStreamError } from "../api/api-error.ts";
import type { Client } from "../api/client.ts";
import { type KubeObject, keyOf } from "../api/object.ts";
import { endsInitialEvents, type Selector, type WatchEvent } from "../api/requests.ts";
import { nameOf, type Resource } from "../api/resource.ts";
import { Backoff } from "../core/backoff.ts";
import { type Clock, realClock, sleep } from "../core/clock.ts";

/** Where a reflector stores what it reads. */
export interface ReflectorSink<T extends KubeObject> {
  /** The complete state: objects that are not in `objects` no longer exist. */
  replace(objects: readonly T[]): void;
  /** An object was added or has changed. */
  put(object: T): void;
  /** An object was deleted; this is its last state. */
  remove(object: T): void;
}

/** Options of a Reflector: what to read, and where to store it. */
export interface ReflectorOptions<T extends KubeObject> {
  readonly client: Client;
  readonly resource: Resource<T>;
  readonly sink: ReflectorSink<T>;
  readonly namespace?: string;
  readonly labelSelector?: Selector;
  readonly fieldSelector?: Selector;
  /** Objects per page of the list. Default 500. */
  readonly pageSize?: number;
  /** Only `metadata` is fetched. Default false. */
  readonly metadataOnly?: boolean;
  /** Fill the sink from the watch itself (WatchList) if the server supports it; otherwise from lists. Default false. */
  readonly watchList?: boolean;
  readonly clock?: Clock;
  /** From 0 to below 1: spreads waits. Default `Math.random`. */
  readonly random?: () => number;
  readonly observer?: ReflectorObserver;
}

/** Notifications for metrics and logs. */
export interface ReflectorObserver {
  /** A whole list has arrived. */
  listed?(objects: number): void;
  /** A watch was opened. */
  watchOpened?(): void;
  /** An attempt failed; the next one comes after `retryMilliseconds`. */
  failed?(error: Error, retryMilliseconds: number): void;
}

/** A watch that ends sooner than this without an event counts as failed, even if it was closed cleanly. */
const shortestUsefulWatchMilliseconds = 1_000;

/**
 * Keeps a sink equal to the server's state: lists in pages, watches from there on, resumes where a watch ended,
 * lists again when the server no longer has that version. The state machine is kube-rs's (kube-runtime/src/watcher.rs).
 * It never gives up: failures are retried after 0.8 to 30 s. Only complete states are published: neither half a
 * list nor a WatchList that was cut off before its end mark reaches the sink.
 */
export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  /** Where the next watch starts; undefined: list first. */
  #version: string | undefined;
  #streamsLists: boolean;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#clock = options.clock ?? realClock;
    this.#streamsLists = options.watchList ?? false;
    this.#backoff = new Backoff({
      clock: this.#clock,
      ...(options.random ? { random: options.random } : {}),
      firstMilliseconds: 800,
      longestMilliseconds: 30_000,
      resetAfterMilliseconds: 120_000,
    });
  }

  /** Runs until the signal aborts; resolves once none of its requests is open. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (!this.#streamsLists) this.#version ??= await this.#list(signal);
        if (!signal.aborted) await this.#watch(this.#version, signal);
      } catch (error) {
        if (!signal.aborted) await this.#recover(error as Error, signal);
      }
    }
  }

  async #list(signal: AbortSignal): Promise<string> {
    const { client, resource, namespace, labelSelector, fieldSelector, pageSize, metadataOnly } = this.#options;
    const list = await client.listAll(resource, {
      namespace,
      labelSelector,
      fieldSelector,
      limit: pageSize,
      metadataOnly,
      unparsed: true,
      signal,
    });
    if (!signal.aborted) this.#publish(list.items);
    return list.metadata.resourceVersion;
  }

  #publish(objects: readonly T[]): void {
    this.#options.sink.replace(objects);
    this.#options.observer?.listed?.(objects.length);
  }

  /** Without a version: a WatchList. */
  async #watch(resourceVersion: string | undefined, signal: AbortSignal): Promise<void> {
    const { client, resource, observer, namespace, labelSelector, fieldSelector, metadataOnly } = this.#options;
    const selection = { namespace, labelSelector, fieldSelector, metadataOnly, signal };
    const from = resourceVersion === undefined ? { sendInitialEvents: true } : { resourceVersion };
    let gathered = resourceVersion === undefined ? new Map<string, T>() : undefined;
    const opened = this.#clock.monotonic();
    let heard = false;
    const lasted = () => this.#clock.monotonic() - opened >= shortestUsefulWatchMilliseconds;
    observer?.watchOpened?.();
    try {
      for await (const batch of client.watchBatches(resource, { ...selection, ...from })) {
        if (signal.aborted) return;
        heard = true;
        for (const event of batch) {
          if (gathered) gathered = this.#gather(gathered, event);
          else this.#take(event);
        }
      }
    } catch (error) {
      return this.#forgive(error as Error, heard && lasted() && !gathered);
    }
    if (gathered && !signal.aborted) throw new Error(`the server ended the initial events of ${nameOf(resource)} before all had come`);
    if (!heard && !lasted() && !signal.aborted) {
      throw new Error(`the server ended the watch of ${nameOf(resource)} as soon as it began`);
    }
  }

  /**
   * A stream that delivered something counts as no failure when it breaks: it is opened again at once, with the
   * back-off reset.
   */
  #forgive(error: Error, wasOfUse: boolean): void {
    if (!wasOfUse) throw error;
    this.#backoff.reset();
    if (error instanceof ApiError || error instanceof SilentStreamError) throw error;
    this.#options.observer?.failed?.(error, 0);
  }

  #take(event: WatchEvent<T>): void {
    if (event.type === "DELETED") this.#options.sink.remove(event.object);
    else if (event.type !== "BOOKMARK") this.#options.sink.put(event.object);
    this.#version = event.object.metadata.resourceVersion ?? this.#version;
  }

  /** Initial events are in no order of versions: before their end mark nothing is published, and no version is used. */
  #gather(gathered: Map<string, T>, event: WatchEvent<T>): Map<string, T> | undefined {
    if (event.type === "BOOKMARK") {
      // A server without WatchList sends such bookmarks, and never an end mark.
      if (!endsInitialEvents(event.object)) throw new WatchListUnknownError();
      this.#publish([...gathered.values()]);
      this.#version = event.object.metadata.resourceVersion;
      return undefined;
    }
    const key = keyOf(event.object.metadata);
    if (event.type === "DELETED") gathered.delete(key);
    else gathered.set(key, event.object);
    return gathered;
  }

  /** A WatchList that the server refuses or does not support is not tried again; one that broke is. */
  #fallBack(error: Error): void {
    const refused = isInvalid(error) || (error instanceof ApiError && error.status === 400);
    if (refused || error instanceof WatchListUnknownError || error instanceof SilentStreamError) this.#streamsLists = false;
  }

  async #recover(error: Error, signal: AbortSignal): Promise<void> {
    if (isGone(error)) this.#version = undefined;
    if (this.#streamsLists && this.#version === undefined) this.#fallBack(error);
    const asked = error instanceof ApiError ? (error.retryAfter ?? 0) * 1000 : 0;
    const wait = error instanceof SilentStreamError ? 0 : Math.max(asked, this.#backoff.next());
    this.#options.observer?.failed?.(error, wait);
    if (wait > 0) await sleep(this.#clock, wait, signal);
  }
}

class WatchListUnknownError extends Error {
  constructor() {
    super("the server sent no end mark after the initial events: it does not know WatchList, so lists are used");
  }
}
