import { isRefusal } from "../api/api-error.ts";
import type { KubeObject } from "../api/object.ts";
import { nameOf } from "../api/resource.ts";
import type { Informer } from "../cache/cache.ts";
import type { Controller } from "../engine/controller.ts";
import type { Manager } from "../engine/manager.ts";
import type { Runnable } from "../engine/runnable-group.ts";
import { type Outcome, unchanged } from "../outcome/outcome.ts";
import type { Context } from "../outcome/reconciler.ts";
import { Changes } from "./changes.ts";
import { Daemons } from "./daemons.ts";
import type { ResourceDeclarations } from "./declarations.ts";
import { Events } from "./events.ts";
import type { Indices } from "./indices.ts";
import { Memories, Memory } from "./memory.ts";
import { asWritable, Patcher, UnrecordedError } from "./object-patch.ts";
import { againIn } from "./pass.ts";
import { Persistence } from "./persistence.ts";
import type { Surroundings } from "./surroundings.ts";
import { Timer } from "./timers.ts";

/** How handlers run. Invalid times and counts are refused with a RangeError. */
export interface HandlersOptions {
  /** Of our annotations and finalizer. Two operators that handle changes of one kind need different ones. Default `kopf-ts.dev`. */
  readonly prefix?: string;
  /** Of the patches. Default `kopf-ts`. */
  readonly fieldManager?: string;
  /** Objects of a resource handled at the same time; never two handlers of changes for one object. Default 4. */
  readonly maxConcurrentReconciles?: number;
  /** One attempt of a handler, whatever its own `timeout` says; then its signal aborts and the attempt has failed. Default 3,600. */
  readonly passTimeoutSeconds?: number;
  /** How long a cached state older than our own last write is ignored. Default 5. */
  readonly consistencySeconds?: number;
}

/** For the writes of a pass, in addition to the time of its handlers. */
const writingSeconds = 120;

/** All handlers of one resource, on the manager's engine: one controller for changes and daemons, one for each timer. */
export class ResourceHandlers<T extends KubeObject> implements Runnable {
  readonly needLeaderElection = true;
  readonly #options: HandlersOptions;
  readonly #informer: Informer<T>;
  readonly #s: Surroundings<T>;
  readonly #changes: Changes<T>;
  readonly #daemons: Daemons<T>;
  readonly #events: Events<T>;
  readonly #resumes: boolean;
  readonly #abort = new AbortController();
  #closed = false;
  #controller: Controller<T> | undefined;

  constructor(declarations: ResourceDeclarations<T>, manager: Manager, indices: Indices, options: HandlersOptions) {
    const { resource, changes, daemons, timers, events } = declarations;
    this.#options = options;
    this.#informer = manager.cache(resource);
    this.#s = this.#surroundings(manager, declarations, indices);
    this.#changes = new Changes(changes, this.#s);
    this.#daemons = new Daemons(daemons, this.#s, (object) => this.#controller?.enqueue(object.metadata));
    this.#events = new Events(events, this.#s);
    this.#resumes = changes.some(({ kind }) => kind === "resume");
    // Before the controllers: objects that exist at the start are marked for resumption before any pass.
    manager.add(this);
    const running = {
      maxConcurrentReconciles: options.maxConcurrentReconciles,
      reconcileTimeoutSeconds: this.#s.limitSeconds + writingSeconds,
    };
    if (changes.length > 0 || daemons.length > 0) {
      const reconcile = (object: T, ctx: Context) => this.#reconcile(object, ctx);
      this.#controller = manager.controller(nameOf(resource)).for(resource).withOptions(running).complete(reconcile);
    }
    // Only the first controller reports that an object does not match.
    let reportInvalid = !this.#controller;
    for (const declaration of timers) {
      const timer = new Timer<T>(declaration, this.#s);
      manager
        .controller(`${nameOf(resource)}/${declaration.id}`)
        .for(resource)
        .withOptions({ ...running, reportInvalid })
        .complete((object, ctx) => timer.reconcile(object, ctx));
      reportInvalid = false;
    }
  }

  start(): void {
    this.#informer.onChange((change) => {
      const { object } = change;
      this.#events.hear(change);
      if (change.type === "deleted") {
        this.#daemons.stopAll(object);
        this.#s.memories.forget(object);
      } else if (this.#resumes && change.type === "added" && change.initial && !object.metadata.deletionTimestamp) {
        this.#s.memories.of(object).resuming = new Map();
      }
    });
  }

  async drain(): Promise<void> {
    this.#closed = true;
    await Promise.all([this.#daemons.drain(), this.#events.drain()]);
  }

  abort(reason: Error): void {
    this.#abort.abort(reason);
    void this.#daemons.drain();
    this.#events.abort(reason);
  }

  async #reconcile(object: T, ctx: Context): Promise<Outcome> {
    const wait = this.#waitForEcho(object);
    if (wait > 0) return againIn(wait / 1000);
    const { finalizer } = this.#s.persistence;
    const held = object.metadata.finalizers?.includes(finalizer) ?? false;
    if (object.metadata.deletionTimestamp) return await this.#leave(object, held, ctx);
    const wanted = this.#changes.needsFinalizer(object) || this.#daemons.isFor(object);
    // The write triggers the next pass: nothing is begun that a deletion could interrupt.
    if (wanted && !held) return unchanged().finalizer(finalizer, true);
    const settled = this.#daemons.tend(object, ctx);
    const outcome = await this.#changes.handle(object, ctx);
    return held && !wanted && settled ? outcome.finalizer(finalizer, false) : outcome;
  }

  async #leave(object: T, held: boolean, ctx: Context): Promise<Outcome> {
    const settled = this.#daemons.tend(object, ctx);
    if (!held) return unchanged();
    const outcome = await this.#changes.handleDeletion(object, ctx);
    if (outcome) return outcome;
    return settled ? unchanged().finalizer(this.#s.persistence.finalizer, false) : unchanged();
  }

  /** Milliseconds for which this state is too old to act upon. */
  #waitForEcho(object: T): number {
    const memory = this.#s.memories.find(object);
    if (!memory?.awaited) return 0;
    const left = memory.awaited.until - this.#s.clock.monotonic();
    if (left > 0 && isOlder(object.metadata.resourceVersion, memory.awaited.resourceVersion)) return left;
    memory.awaited = undefined;
    return 0;
  }

  #surroundings(manager: Manager, { resource }: ResourceDeclarations<T>, indices: Indices): Surroundings<T> {
    const { leaderClient: client, clock } = manager;
    const memories = new Memories();
    const fieldManager = this.#options.fieldManager ?? "kopf-ts";
    const patcher = new Patcher(client, resource, fieldManager);
    const patience = (this.#options.consistencySeconds ?? 5) * 1000;
    const newest = (object: T) => {
      const known = this.#informer.get(object.metadata);
      return known?.metadata.uid === object.metadata.uid ? (known as T) : object;
    };
    return {
      client,
      clock,
      memories,
      patcher,
      newest,
      cache: (of, selection) => manager.cache(of, selection),
      logger: manager.logger.child({ resource: nameOf(resource) }),
      recorder: manager.recorder(nameOf(resource)),
      persistence: new Persistence(this.#options.prefix ?? "kopf-ts.dev"),
      viewParts: (object, reason) => {
        let memory = memories.find(object);
        const isThere = () => this.#informer.get(object.metadata)?.metadata.uid === object.metadata.uid;
        const remember = () => (isThere() ? memories.of(object) : new Memory());
        const memo = () => {
          memory ??= remember();
          memory.memo ??= {};
          return memory.memo;
        };
        return { read: () => object, reason, memo, indices };
      },
      awaitEcho: ({ metadata }) => {
        const memory = memories.find({ metadata } as T);
        if (memory && metadata.resourceVersion) {
          memory.awaited = { resourceVersion: metadata.resourceVersion, until: clock.monotonic() + patience };
        }
      },
      limitSeconds: this.#options.passTimeoutSeconds ?? 3_600,
      mayBegin: () => manager.leads && !this.#closed && !this.#abort.signal.aborted,
      writeResult: async (object, patch, logger) => {
        const parts = asWritable(patch);
        try {
          this.#abort.signal.throwIfAborted();
          await patcher.write(object, parts, this.#abort.signal);
        } catch (error) {
          if (isRefusal(error)) throw new UnrecordedError(error);
          if (!this.#abort.signal.aborted) logger.warn("what a handler asked for could not be written", { error });
        }
      },
    };
  }
}

/** Versions of one resource are comparable numbers (KEP-5504); others can only be compared for equality. */
function isOlder(version: string | undefined, than: string): boolean {
  if (version === undefined || version === than) return false;
  return !/^\d+$/.test(version) || !/^\d+$/.test(than) || BigInt(version) < BigInt(than);
}
