import type { Client } from "../api/client.ts";
import type { KubeObject, ObjectMeta } from "../api/object.ts";
import type { Cache } from "../cache/cache.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { Recorder } from "../outcome/recorder.ts";
import type { Diff } from "./diff.ts";
import type { Indices } from "./indices.ts";
import type { Memo } from "./memory.ts";
import type { ObjectPatch } from "./object-patch.ts";

/** Why a handler or a filter is called. */
export type Reason = "create" | "update" | "resume" | "delete" | "event" | "timer" | "daemon" | "index";

/** An object as a filter or a handler sees it. All of it is frozen and shared: put changes in `patch`. */
export interface ObjectView<T extends KubeObject = KubeObject> {
  /**
   * In daemons `ctx.body` (not a copy taken at the start) is always the newest known state; so are `ctx.spec` and the
   * rest.
   */
  readonly body: T;
  readonly spec: T["spec"];
  readonly meta: ObjectMeta;
  readonly status: T["status"];
  readonly name: string;
  readonly namespace: string | undefined;
  readonly reason: Reason;
  /**
   * The last handled state (of a handler with a `field`: that field). Undefined for a new object, for a state beyond 96
   * KiB (of which only the digest is kept), and outside handlers of changes.
   */
  readonly old: unknown;
  readonly new: unknown;
  readonly diff: Diff;
  /** For the handlers' own data: exists as long as this process has the object. */
  readonly memo: Memo;
  readonly indices: Indices;
}

/** The single argument of every handler. */
export interface HandlerContext<T extends KubeObject = KubeObject> extends ObjectView<T> {
  /** Fill it in; it is written once, after the handlers. `null` removes a field. */
  readonly patch: ObjectPatch<T>;
  /** Attempts made before this one. */
  readonly retry: number;
  /** When the first attempt began; kept over restarts for handlers of changes. */
  readonly started: Date;
  /**
   * Aborts when the handler should end: the object is deleted or no longer matches (daemons), it took too long, or the
   * program stops.
   */
  readonly signal: AbortSignal;
  readonly client: Client;
  readonly cache: Cache;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly recorder: Recorder;
}

export interface ViewParts<T extends KubeObject> {
  readonly read: () => T;
  readonly reason: Reason;
  readonly memo: () => Memo;
  readonly indices: Indices;
  readonly change?: Change;
}

export interface Change {
  readonly old: unknown;
  readonly new: unknown;
  readonly diff: Diff;
}

const noChange: Change = { old: undefined, new: undefined, diff: [] };

/** Reads everything in place; copies nothing. */
export class View<T extends KubeObject> implements ObjectView<T> {
  readonly reason: Reason;
  readonly indices: Indices;
  readonly #read: () => T;
  readonly #memo: () => Memo;
  readonly #change: Change;

  constructor(parts: ViewParts<T>) {
    this.reason = parts.reason;
    this.indices = parts.indices;
    this.#read = parts.read;
    this.#memo = parts.memo;
    this.#change = parts.change ?? noChange;
  }

  get body(): T {
    return this.#read();
  }
  get spec(): T["spec"] {
    return this.#read().spec;
  }
  get meta(): ObjectMeta {
    return this.#read().metadata;
  }
  get status(): T["status"] {
    return this.#read().status;
  }
  get name(): string {
    return this.meta.name;
  }
  get namespace(): string | undefined {
    return this.meta.namespace;
  }
  get memo(): Memo {
    return this.#memo();
  }
  get old(): unknown {
    return this.#change.old;
  }
  get new(): unknown {
    return this.#change.new;
  }
  get diff(): Diff {
    return this.#change.diff;
  }
}

/** A view with everything that only a running handler has. */
export class Invocation<T extends KubeObject> extends View<T> implements HandlerContext<T> {
  readonly patch: ObjectPatch<T>;
  readonly retry: number;
  readonly started: Date;
  readonly signal: AbortSignal;
  readonly client: Client;
  readonly cache: Cache;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly recorder: Recorder;

  constructor(parts: ViewParts<T>, run: Omit<HandlerContext<T>, keyof ObjectView<T>>) {
    super(parts);
    this.patch = run.patch;
    this.retry = run.retry;
    this.started = run.started;
    this.signal = run.signal;
    this.client = run.client;
    this.cache = run.cache;
    this.clock = run.clock;
    this.logger = run.logger;
    this.recorder = run.recorder;
  }
}
