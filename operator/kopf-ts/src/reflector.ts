import { ApiError, isGone, SilentStreamError } from "./api-error.ts";
import { Backoff } from "./backoff.ts";
import type { Client, Selector } from "./client.ts";
import { type Clock, realClock, sleep } from "./clock.ts";
import type { KubeObject } from "./object.ts";
import { nameOf, type Resource } from "./resource.ts";

/** Where a reflector puts what it sees. */
export interface ReflectorSink<T extends KubeObject> {
  /** The whole truth: what is not in `objects` is gone. */
  replace(objects: readonly T[]): void;
  put(object: T): void;
  remove(object: T): void;
}

export interface ReflectorOptions<T extends KubeObject> {
  readonly client: Client;
  readonly resource: Resource<T>;
  readonly sink: ReflectorSink<T>;
  readonly namespace?: string;
  readonly labelSelector?: Selector;
  readonly fieldSelector?: Selector;
  /** Objects a page of the list. Default 500. */
  readonly pageSize?: number;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly observer?: ReflectorObserver;
}

export interface ReflectorObserver {
  listed?(objects: number): void;
  watchOpened?(): void;
  /** Something went wrong; the next attempt comes after `retryMilliseconds`. */
  failed?(error: Error, retryMilliseconds: number): void;
}

/** A watch that ends sooner than this with nothing to say did not work, however politely it was closed. */
const shortestUsefulWatchMilliseconds = 1_000;

/**
 * Keeps a sink equal to what the server holds: lists in pages, watches from there on, resumes where a watch ended,
 * lists again when the server no longer knows that place. The state machine is kube-rs's (kube-runtime/src/watcher.rs).
 * It never gives up: whatever fails is tried again after 0.8 to 30 s.
 */
export class Reflector<T extends KubeObject> {
  readonly #options: ReflectorOptions<T>;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  /** Where the next watch starts; undefined: list first. */
  #version: string | undefined;

  constructor(options: ReflectorOptions<T>) {
    this.#options = options;
    this.#clock = options.clock ?? realClock;
    this.#backoff = new Backoff({
      clock: this.#clock,
      ...(options.random ? { random: options.random } : {}),
      firstMilliseconds: 800,
      longestMilliseconds: 30_000,
      resetAfterMilliseconds: 120_000,
    });
  }

  /** Runs until the signal aborts; resolves once no request of its own is left. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        this.#version ??= await this.#list(signal);
        if (!signal.aborted) await this.#watch(this.#version, signal);
      } catch (error) {
        if (!signal.aborted) await this.#recover(error as Error, signal);
      }
    }
  }

  async #list(signal: AbortSignal): Promise<string> {
    const { client, resource, sink, observer, namespace, labelSelector, fieldSelector, pageSize } = this.#options;
    const list = await client.listAll(resource, { namespace, labelSelector, fieldSelector, limit: pageSize, signal });
    if (!signal.aborted) {
      sink.replace(list.items);
      observer?.listed?.(list.items.length);
    }
    return list.metadata.resourceVersion;
  }

  async #watch(resourceVersion: string, signal: AbortSignal): Promise<void> {
    const { client, resource, observer, namespace, labelSelector, fieldSelector } = this.#options;
    const opened = this.#clock.monotonic();
    let heard = false;
    observer?.watchOpened?.();
    for await (const batch of client.watchBatches(resource, { namespace, labelSelector, fieldSelector, resourceVersion, signal })) {
      if (signal.aborted) return;
      heard = true;
      for (const event of batch) {
        if (event.type === "DELETED") this.#options.sink.remove(event.object);
        else if (event.type !== "BOOKMARK") this.#options.sink.put(event.object);
        this.#version = event.object.metadata.resourceVersion ?? this.#version;
      }
    }
    const lived = this.#clock.monotonic() - opened;
    if (!heard && lived < shortestUsefulWatchMilliseconds && !signal.aborted) {
      throw new Error(`the server ended the watch of ${nameOf(resource)} as soon as it began`);
    }
  }

  async #recover(error: Error, signal: AbortSignal): Promise<void> {
    if (isGone(error)) this.#version = undefined;
    const asked = error instanceof ApiError ? (error.retryAfter ?? 0) * 1000 : 0;
    const wait = error instanceof SilentStreamError ? 0 : Math.max(asked, this.#backoff.next());
    this.#options.observer?.failed?.(error, wait);
    if (wait > 0) await sleep(this.#clock, wait, signal);
  }
}
