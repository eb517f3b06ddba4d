import { randomUUID } from "node:crypto";
import { ApiError } from "../api/api-error.ts";
import type { Client } from "../api/client.ts";
import { type KubeObject, keyOf, type ObjectKey, parseKey } from "../api/object.ts";
import { isBuiltin, type Resource } from "../api/resource.ts";
import type { Cache, Informer } from "../cache/cache.ts";
import type { Informers } from "../cache/informers.ts";
import { type Change, isResync } from "../cache/store.ts";
import { checkOnRead } from "../core/abort-signals.ts";
import { type Clock, realClock } from "../core/clock.ts";
import { Deadline } from "../core/deadline.ts";
import { errorOf, isReadableError } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { TimeSlice } from "../core/time-slice.ts";
import { WaitGroup } from "../core/wait-group.ts";
import { isOutcome, type Outcome, stalled, unchanged } from "../outcome/outcome.ts";
import type { Predicate } from "../outcome/predicate.ts";
import { type Context, type Reconciler, TerminalError } from "../outcome/reconciler.ts";
import type { Recorder } from "../outcome/recorder.ts";
import { invalidReason } from "../outcome/status.ts";
import { OutcomeWriter, type Written } from "../outcome/writer.ts";
import type { Metrics, ReconcileResult } from "./metrics.ts";
import type { Permission } from "./permission.ts";
import { type AddOptions, type QueueOptions, WorkQueue } from "./queue.ts";
import type { Stragglers } from "./stragglers.ts";

/** Keys of the first list, and of resyncs, yield to live changes in their namespace (controller-runtime: `LowPriority`). */
export const initialListPriority = -100;

const failuresBeforeReport = 3;

/** Between two passes of an object that repeatedly requests the next one by `atOnce`. */
const longestStepMilliseconds = 1_000;

/** How a controller runs. Invalid times and counts are refused with a RangeError. */
export interface ControllerOptions {
  /** Concurrent passes; never two for one object. Default 4. */
  readonly maxConcurrentReconciles?: number;
  /** Then the signal aborts and the pass counts as failed. Default 300. */
  readonly reconcileTimeoutSeconds?: number;
  /** For server-side apply. Default: the controller's name. */
  readonly fieldManager?: string;
  readonly clock?: Clock;
  /**
   * Reports repeatedly failing passes on the object itself, in its condition Reconciling. Only for kinds whose status
   * is ours. Default false.
   */
  readonly reportFailures?: boolean;
  /**
   * Reports on the object itself, in its conditions, that it does not match the schema of its resource. Default true;
   * never for built-in kinds, whose status is not ours. An Event and a line in the log report it in any case.
   */
  readonly reportInvalid?: boolean;
  /** Runs only while this process leads. Default true. */
  readonly needLeaderElection?: boolean;
  /** Before the first retry of a failed pass; doubles with each failure. Default 5. */
  readonly firstBackoffMilliseconds?: QueueOptions["firstBackoffMilliseconds"];
  /** Default 1,000,000. */
  readonly longestBackoffMilliseconds?: QueueOptions["longestBackoffMilliseconds"];
}

/** What controllers use of their manager. */
export interface Surroundings {
  readonly client: Client;
  /** The client for work that needs leadership: its writes are refused once this process no longer leads. */
  readonly leaderClient: Client;
  /** Whether this process may act as the leader now. */
  readonly leads: () => boolean;
  readonly stragglers: Stragglers;
  readonly informers: Informers;
  readonly cache: Cache;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly recorder: (controller: string) => Recorder;
  /** Notes what a controller does, for `rbacOf`. */
  readonly permit: (...permissions: readonly Permission[]) => void;
}

interface ControllerParts<T extends KubeObject> {
  readonly name: string;
  readonly resource: Resource<T>;
  readonly informer: Informer<T>;
  readonly reconcile: Reconciler<T>;
  readonly options: ControllerOptions;
}

/**
 * Reconciles the objects of one kind: level-triggered, each object by one worker at a time; failures are retried.
 * Nothing begins once the queue is closed, the signal aborted or leadership lost: that is checked at every take, and
 * again right before every call and every write.
 */
export class Controller<T extends KubeObject> {
  readonly name: string;
  readonly resource: Resource<T>;
  readonly needLeaderElection: boolean;
  readonly #informer: Informer<T>;
  readonly #reconcile: Reconciler<T>;
  readonly #surroundings: Surroundings;
  readonly #client: Client;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #queue: WorkQueue;
  readonly #writer: OutcomeWriter;
  readonly #counts: ReturnType<Metrics["controller"]>;
  readonly #workers: number;
  readonly #timeoutSeconds: number;
  readonly #reportFailures: boolean;
  readonly #reportInvalid: boolean;
  /** Messages of the Events about objects that do not match, by key: each message is published once. */
  readonly #toldInvalid = new Map<string, string>();
  readonly #timeSlice = new TimeSlice();
  readonly #abort = new AbortController();
  readonly #stragglers = new Set<Promise<void>>();
  readonly #sources: (() => void)[] = [];
  #recorder: Recorder | undefined;
  #running: Promise<unknown> = Promise.resolve();

  /** Use `manager.controller(name)`. */
  constructor(parts: ControllerParts<T>, surroundings: Surroundings) {
    const { name, resource, informer, reconcile, options } = parts;
    this.name = name;
    this.resource = resource;
    this.needLeaderElection = options.needLeaderElection ?? true;
    this.#informer = informer;
    this.#reconcile = reconcile;
    this.#surroundings = surroundings;
    if (this.needLeaderElection) checkOnRead(this.#abort.signal, surroundings.leads);
    this.#client = this.needLeaderElection ? surroundings.leaderClient : surroundings.client;
    this.#clock = options.clock ?? surroundings.clock ?? realClock;
    this.#logger = surroundings.logger.child({ controller: name });
    this.#workers = options.maxConcurrentReconciles ?? 4;
    this.#timeoutSeconds = options.reconcileTimeoutSeconds ?? 300;
    this.#counts = surroundings.metrics.controller(name, this.#workers);
    const { firstBackoffMilliseconds, longestBackoffMilliseconds } = options;
    const observer = surroundings.metrics.queue(name);
    this.#queue = new WorkQueue({ clock: this.#clock, observer, firstBackoffMilliseconds, longestBackoffMilliseconds });
    surroundings.metrics.watchQueue(name, this.#queue);
    surroundings.metrics.watchStragglers(name, () => surroundings.stragglers.count(name));
    const fieldManager = options.fieldManager ?? name;
    this.#reportFailures = options.reportFailures ?? false;
    this.#reportInvalid = (options.reportInvalid ?? true) && !isBuiltin(resource);
    const cached = (of: Resource, key: ObjectKey) => surroundings.informers.find(of, key);
    const willShow = (of: Resource, child: KubeObject) => surroundings.informers.willShow(of, child);
    this.#writer = new OutcomeWriter({ client: this.#client, resource, fieldManager, clock: this.#clock, cached, willShow });
  }

  /** Requests a pass from outside the API: a message, a timer, a probe. */
  enqueue(key: ObjectKey, options?: AddOptions): void {
    this.#queue.add(keyOf(key), options);
  }

  /**
   * Makes an informer's changes trigger the objects that `map` returns, for the old and the new state. Only from the
   * start on: in a process that waits for its leadership, the queue would keep the keys of all objects that came and
   * went meanwhile.
   */
  listen<U extends KubeObject>(informer: Informer<U>, map: (object: U) => Iterable<ObjectKey>, predicate?: Predicate<U>): void {
    this.#sources.push(() => informer.onChange((change) => this.#hear(change, map, predicate)));
  }

  #hear<U extends KubeObject>(change: Change<U>, map: (object: U) => Iterable<ObjectKey>, predicate?: Predicate<U>): void {
    if (predicate && !predicate(change)) return;
    const keys = new Set<string>();
    try {
      for (const key of map(change.object)) keys.add(keyOf(key));
      if (change.type === "updated" && !isResync(change)) for (const key of map(change.old)) keys.add(keyOf(key));
    } finally {
      // A function that fails on one of the two states does not lose the objects of the other.
      const priority = isInitial(change) || isResync(change) ? initialListPriority : 0;
      for (const key of keys) this.#queue.add(key, { priority });
    }
  }

  /** Starts the workers, over what the caches hold and whatever changes. Call once the caches have synced. */
  start(): void {
    this.#recorder = this.#surroundings.recorder(this.name);
    for (const attach of this.#sources.splice(0)) attach();
    this.#informer.onUnfit(({ metadata }) => this.enqueue(metadata));
    this.#running = Promise.all(Array.from({ length: this.#workers }, () => this.#work()));
  }

  /** Starts nothing more; resolves once the running passes have ended. */
  async drain(): Promise<void> {
    this.#queue.close();
    await this.#running;
    await Promise.all(this.#stragglers);
  }

  /** Aborts the running passes. */
  abort(reason: Error): void {
    this.#queue.close();
    this.#abort.abort(reason);
  }

  /** Lets other work run between two passes, however fast keys come back. */
  async #work(): Promise<void> {
    while (this.#mayBegin()) {
      const taken = this.#queue.tryTake() ?? (await this.#queue.take());
      if (!taken) return;
      await this.#pass(taken.key, taken.priority);
      await this.#timeSlice.spent();
    }
  }

  #mayBegin(): boolean {
    return !this.#abort.signal.aborted && !this.#queue.closed;
  }

  /** One pass over one key. Never throws; returns the key to the queue when the pass has really ended. */
  async #pass(key: string, priority: number): Promise<void> {
    const object = this.#mayBegin() ? this.#read(key) : undefined;
    if (!object) return this.#drop(key);
    const started = this.#clock.monotonic();
    const reconcileID = randomUUID();
    const recorder = this.#recorder as Recorder;
    const logger = this.#logger.child({ kind: this.resource.kind, object: key, reconcileID });
    const late = () => new Error(`the reconcile took longer than ${this.#timeoutSeconds} s`);
    const deadline = new Deadline(this.#clock, this.#timeoutSeconds, this.#abort.signal, late);
    this.#counts.started();
    let result: ReconcileResult = "error";
    const work = new WaitGroup();
    const outlasts = (straggler: Promise<unknown>) => work.add(straggler);
    const pass = work.add(this.#reconcileAndWrite(object, { logger, recorder, reconcileID, signal: deadline.signal, outlasts }));
    try {
      const { outcome, written } = await Promise.race([pass, deadline.passed]);
      result = this.#settle(key, priority, outcome, written);
    } catch (thrown) {
      const error = errorOf(thrown);
      if (!isReadableError(thrown)) this.#counts.panicked();
      if (deadline.expired) this.#counts.timedOut();
      this.#fail(key, priority, error, logger);
      if (this.#isWorthReporting(key, error)) await this.#writer.report(object, error, { logger, recorder, signal: this.#abort.signal });
    } finally {
      this.#counts.ended(result, (this.#clock.monotonic() - started) / 1000);
      if (deadline.expired) {
        logger.warn("the reconcile took too long; its object waits until it has ended", { timeoutSeconds: this.#timeoutSeconds });
      }
      deadline.clear();
      this.#release(key, work);
    }
  }

  /**
   * The cached object. One that stopped matching its schema is returned in its last matching state, or as it is if
   * there is none, and with its current metadata.
   */
  #read(key: string): T | undefined {
    const known = this.#informer.get(parseKey(key));
    const unfit = this.#informer.unfit(parseKey(key));
    if (!unfit) this.#toldInvalid.delete(key);
    return unfit ? Object.freeze({ ...(known ?? unfit.object), metadata: unfit.object.metadata }) : known;
  }

  /** The object was deleted, or nothing may begin any more. */
  #drop(key: string): void {
    this.#queue.forget(key);
    this.#writer.forget(key);
    this.#queue.done(key);
  }

  async #reconcileAndWrite(object: T, pass: Pick<Context, "logger" | "recorder" | "reconcileID" | "signal" | "outlasts">) {
    const key = keyOf(object.metadata);
    const failing = this.#queue.failures(key) >= failuresBeforeReport;
    const unfit = this.#informer.unfit(object.metadata);
    if (unfit && !object.metadata.deletionTimestamp) {
      const outcome = this.#complain(key, unfit.error, pass.recorder, unfit.object);
      const written = this.#reportInvalid ? await this.#writer.write(unfit.object, outcome, { ...pass, failing }) : "done";
      return { outcome, written } as const;
    }
    const pause = this.#writer.pauseBefore(object);
    if (pause > 0) return { outcome: unchanged().again(pause), written: "paused" } as const;
    const ctx: Context = { client: this.#client, cache: this.#surroundings.cache, clock: this.#clock, ...pass };
    const outcome = await this.#reconcile(object, ctx);
    pass.signal.throwIfAborted();
    this.#check(outcome);
    return { outcome, written: await this.#writer.write(object, outcome, { ...pass, failing }) };
  }

  #check(outcome: Outcome): void {
    if (!isOutcome(outcome))
      throw new TypeError(`controller ${this.name} answered no Outcome; answer ready(…), unchanged() or another of them`);
    if (this.#informer.metadataOnly && (outcome.kind !== "unchanged" || outcome.conditions.length > 0)) {
      throw new TerminalError(
        `controller ${this.name} sees only the metadata of ${this.resource.plural}, so their status cannot be written; answer unchanged(), or cache them whole`,
      );
    }
  }

  /** Reports an object that does not match its schema: it is not reconciled until it matches again, or is deleted. */
  #complain(key: string, { message }: Error, recorder: Recorder, object: T): Outcome {
    if (this.#toldInvalid.get(key) !== message) recorder.event(object, { type: "Warning", reason: invalidReason, note: message });
    this.#toldInvalid.set(key, message);
    return this.#reportInvalid ? stalled(invalidReason, message.slice(0, 1024)) : unchanged();
  }

  #settle(key: string, priority: number, outcome: Outcome, written: Written | "paused"): ReconcileResult {
    if (written === "conflict") {
      // The cache will soon have the newer state; this is no error.
      this.#queue.retry(key, { priority });
      return "requeue";
    }
    if (outcome.requeueAtOnce && written === "done") {
      this.#queue.retry(key, { priority, atMostMilliseconds: longestStepMilliseconds });
      return "requeue";
    }
    // A pass that only waits says nothing about the failures before it.
    if (written !== "paused") this.#queue.forget(key);
    if (written === "gone") return "success";
    if (outcome.requeueAfterSeconds === undefined) return "success";
    this.#queue.add(key, { afterMilliseconds: outcome.requeueAfterSeconds * 1000, priority });
    return "requeue_after";
  }

  #fail(key: string, priority: number, error: Error, logger: Logger): void {
    if (this.#abort.signal.aborted) return;
    if (error instanceof TerminalError) {
      this.#counts.terminalError();
      this.#queue.forget(key);
      logger.error("the reconcile failed permanently; it is not tried again until something changes", { error });
      return;
    }
    const asked = error instanceof ApiError ? (error.retryAfter ?? 0) * 1000 : 0;
    const delay = this.#queue.retry(key, { priority, atLeastMilliseconds: asked });
    logger.error("the reconcile failed and is tried again", { error, retryMilliseconds: delay, attempt: this.#queue.failures(key) });
  }

  /** The first failures are often a race that resolves itself, and every status write causes another pass. */
  #isWorthReporting(key: string, error: Error): boolean {
    if (!this.#reportFailures || this.#abort.signal.aborted) return false;
    return error instanceof TerminalError || this.#queue.failures(key) >= failuresBeforeReport;
  }

  /**
   * A pass that ignores its signal keeps its key, so that it never runs twice at once; its worker continues with
   * others.
   */
  #release(key: string, work: WaitGroup): void {
    if (work.count === 0) {
      this.#queue.done(key);
      return;
    }
    const straggler = this.#surroundings.stragglers.follow(this.name, key, work.wait()).then(() => {
      this.#queue.done(key);
      this.#stragglers.delete(straggler);
    });
    this.#stragglers.add(straggler);
  }
}

function isInitial<T extends KubeObject>(change: Change<T>): boolean {
  return change.type === "added" && change.initial;
}
