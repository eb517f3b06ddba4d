import type { Clock } from "../core/clock.ts";
import { Heap } from "../core/heap.ts";
import { checkNumbers } from "../core/numbers.ts";
import { FairQueue, type ReadyKey } from "./fair-queue.ts";

/** When a key is wanted, and how urgently. */
export interface AddOptions {
  /** Delay in milliseconds from now. Default 0. */
  readonly afterMilliseconds?: number;
  /** Among the keys of one namespace a higher one runs first. Default 0. */
  readonly priority?: number;
}

/** How long a queue waits between retries. */
export interface QueueOptions {
  readonly clock: Clock;
  /** The first retry's delay; it doubles with each failure. Default 5 ms, as in controller-runtime. */
  readonly firstBackoffMilliseconds?: number;
  /** Default 1,000 s. */
  readonly longestBackoffMilliseconds?: number;
  readonly observer?: QueueObserver;
}

/** Notifications for metrics. */
export interface QueueObserver {
  /** A key was added that was not waiting before. */
  added(depth: number): void;
  /** `waited`: seconds since the key became ready. */
  taken(waitedSeconds: number, depth: number): void;
  /** A key was returned. */
  finished(workedSeconds: number): void;
  /** A key was added again after a failure. */
  retried(): void;
}

/** A key that was handed out, to be returned with `done`. */
export interface Taken {
  readonly key: string;
  readonly priority: number;
}

/** `ready` is in its namespace's queue, `delayed` in the heap; `held` waits for the same key's run to end. */
interface Entry extends ReadyKey, Taken {
  readonly key: string;
  priority: number;
  readyAt: number;
  sequence: number;
  state: "ready" | "delayed" | "held";
}

/**
 * A work queue of keys, after controller-runtime's priority queue. Guarantees:
 * one entry per key, with the soonest time and the highest priority of all its adds; a key is never handed out twice at
 * once; a key added while it runs is handed out exactly once more afterwards; a delayed key does not block others.
 * Order: namespaces with ready keys take turns, a key each, so that one with thousands delays another's key by one of
 * its own; keys without a namespace count as one namespace. Within a namespace the highest priority comes first, then
 * the key that has been ready (at that priority) longest.
 */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #first: number;
  readonly #longest: number;
  readonly #observer: QueueObserver | undefined;
  readonly #entries = new Map<string, Entry>();
  readonly #running = new Map<string, number>();
  readonly #failures = new Map<string, number>();
  readonly #waiters: ((taken: Taken | undefined) => void)[] = [];
  readonly #ready = new FairQueue<Entry>();
  readonly #delayed = new Heap<Entry>((a, b) => a.readyAt < b.readyAt);
  #sequence = 0;
  #timer: { due: number; cancel: () => void } | undefined;
  #closed = false;

  constructor(options: QueueOptions) {
    checkNumbers("queue", options, { firstBackoffMilliseconds: "a time above zero", longestBackoffMilliseconds: "a time above zero" });
    this.#clock = options.clock;
    this.#first = options.firstBackoffMilliseconds ?? 5;
    this.#longest = options.longestBackoffMilliseconds ?? 1_000_000;
    this.#observer = options.observer;
  }

  /** Keys waiting, delayed ones included, running ones not. */
  get length(): number {
    return this.#entries.size;
  }

  get readyLength(): number {
    return this.#ready.size;
  }

  get runningLength(): number {
    return this.#running.size;
  }

  /** For how many seconds each running key has been processed. */
  runningSeconds(): number[] {
    const now = this.#clock.monotonic();
    return [...this.#running.values()].map((since) => (now - since) / 1000);
  }

  /**
   * Adds a key, or makes a waiting one run sooner or with more priority.
   *
   * @throws RangeError for a time or priority that is not finite.
   */
  add(key: string, options: AddOptions = {}): void {
    if (this.#closed) return;
    const { afterMilliseconds = 0, priority = 0 } = options;
    if (!Number.isFinite(afterMilliseconds) || !Number.isFinite(priority)) {
      throw new RangeError(`${key} cannot be queued after ${afterMilliseconds} ms with priority ${priority}`);
    }
    const now = this.#clock.monotonic();
    const readyAt = now + Math.max(0, afterMilliseconds);
    const known = this.#entries.get(key);
    if (known) this.#improve(known, readyAt, priority, now);
    else {
      const entry: Entry = { key, priority, readyAt, sequence: 0, place: -1, state: "held" };
      this.#entries.set(key, entry);
      this.#file(entry, now);
      this.#observer?.added(this.#entries.size);
    }
    this.#handOut();
  }

  /** Adds the key after its back-off, which doubles each time until `forget`. Returns the delay in milliseconds. */
  retry(key: string, options: { priority?: number; atLeastMilliseconds?: number; atMostMilliseconds?: number } = {}): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    const backoff = Math.min(this.#longest, this.#first * 2 ** failures);
    const atLeast = Math.min(this.#longest, options.atLeastMilliseconds ?? 0);
    const afterMilliseconds = Math.min(options.atMostMilliseconds ?? Number.POSITIVE_INFINITY, Math.max(backoff, atLeast));
    this.#observer?.retried();
    this.add(key, { afterMilliseconds, ...(options.priority === undefined ? {} : { priority: options.priority }) });
    return afterMilliseconds;
  }

  /** The key succeeded: its next failure starts from the first delay again. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** How often in a row the key has been retried. */
  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /** Whether the queue is closed: nothing is handed out any more. */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * The next ready key, to be returned with `done`; undefined if there is none now, and always once the queue is
   * closed.
   */
  tryTake(): Taken | undefined {
    const entry = this.#closed ? undefined : this.#ready.pop();
    if (!entry) return undefined;
    const now = this.#clock.monotonic();
    this.#entries.delete(entry.key);
    this.#running.set(entry.key, now);
    this.#observer?.taken((now - entry.readyAt) / 1000, this.#entries.size);
    return entry;
  }

  /** Waits for the next ready key; undefined once the queue is closed. */
  async take(): Promise<Taken | undefined> {
    if (this.#closed) return undefined;
    return this.tryTake() ?? new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** The key's run has ended; if it was added meanwhile, it is queued again. */
  done(key: string): void {
    const since = this.#running.get(key);
    if (since === undefined) return;
    this.#running.delete(key);
    const now = this.#clock.monotonic();
    this.#observer?.finished((now - since) / 1000);
    const entry = this.#entries.get(key);
    if (entry?.state === "held") this.#file(entry, now);
    this.#handOut();
  }

  /** Hands out nothing more; waiting callers get `undefined`. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const waiter of this.#waiters.splice(0)) waiter(undefined);
  }

  #improve(entry: Entry, readyAt: number, priority: number, now: number): void {
    const sooner = readyAt < entry.readyAt;
    const higher = priority > entry.priority;
    if (!sooner && !higher) return;
    this.#delayed.remove(entry);
    entry.readyAt = Math.min(readyAt, entry.readyAt);
    entry.priority = Math.max(priority, entry.priority);
    if (entry.state !== "ready") {
      this.#file(entry, now);
    } else if (higher) {
      // A raised priority goes behind its equals; an earlier time alone keeps the place of one that was ready already.
      entry.sequence = this.#nextSequence();
      this.#ready.refile(entry);
    }
  }

  #file(entry: Entry, now: number): void {
    if (this.#running.has(entry.key)) {
      entry.state = "held";
    } else if (entry.readyAt <= now) {
      entry.state = "ready";
      entry.sequence = this.#nextSequence();
      this.#ready.push(entry);
    } else {
      entry.state = "delayed";
      this.#delayed.push(entry);
      this.#arm();
    }
  }

  #nextSequence(): number {
    this.#sequence += 1;
    return this.#sequence;
  }

  #arm(): void {
    const next = this.#delayed.peek();
    if (!next || (this.#timer && this.#timer.due <= next.readyAt)) return;
    this.#timer?.cancel();
    const cancel = this.#clock.schedule(next.readyAt - this.#clock.monotonic(), () => this.#ring());
    this.#timer = { due: next.readyAt, cancel };
  }

  #ring(): void {
    this.#timer = undefined;
    // Timers may fire a fraction of a millisecond early.
    const now = this.#clock.monotonic() + 1;
    for (let entry = this.#delayed.peek(); entry && entry.readyAt <= now; entry = this.#delayed.peek()) {
      this.#delayed.remove(entry);
      this.#file(entry, now);
    }
    this.#arm();
    this.#handOut();
  }

  #handOut(): void {
    while (this.#waiters.length > 0 && this.#ready.size > 0) {
      const waiter = this.#waiters.shift();
      waiter?.(this.tryTake());
    }
  }
}
