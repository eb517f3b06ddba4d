import type { KubeObject } from "../api/object.ts";
import type { Progress } from "./persistence.ts";

/** In-memory data that handlers of one object share. It does not survive a restart. */
// biome-ignore lint/suspicious/noExplicitAny: the handlers' own; they know what they put there
export type Memo = Record<string, any>;

/** One daemon of one object. One that has ended by itself stays here, so that it is not started again. */
export interface Daemon {
  readonly stop: AbortController;
  readonly done: Promise<void>;
  ended: boolean;
}

/** One timer's progress with one object. Times are monotonic milliseconds. */
export interface TimerState {
  due: number;
  /** The state of the object, and since when it is unchanged: for `idle`. */
  digest: string;
  since: number;
  /** The run that is being attempted; undefined between runs. */
  trying: { readonly started: Date; readonly retries: number } | undefined;
  /** It failed permanently and runs no more. */
  over: boolean;
}

/** What this process records about one object besides the API's state. Nothing in it has to survive a restart. */
export class Memory {
  memo: Memo | undefined;
  /** Set while the object has to be resumed: how far each resume handler has come. */
  resuming: Map<string, Progress> | undefined;
  /** The version of our last write, and until when (monotonic milliseconds) older versions are ignored. */
  awaited: { readonly resourceVersion: string; readonly until: number } | undefined;
  /**
   * Handlers that were called, though their result could not be recorded: they may have acted on a state that no longer
   * exists.
   */
  begun: ReadonlySet<string> | undefined;
  /** Progress of handlers that could not be written on the object: it counts all the same. */
  readonly unwritten = new Map<string, Progress>();
  /**
   * A pass whose handlers have run, though its result could not be written because the server was unreachable: the next
   * pass writes it first.
   */
  unsettled: unknown;
  /** All its delete handlers have ended; only the finalizer is left to remove. */
  deletionHandled = false;
  #daemons: Map<string, Daemon> | undefined;
  #timers: Map<string, TimerState> | undefined;

  get daemons(): Map<string, Daemon> {
    this.#daemons ??= new Map();
    return this.#daemons;
  }

  get timers(): Map<string, TimerState> {
    this.#timers ??= new Map();
    return this.#timers;
  }
}

/** The memories of one resource's objects, by UID: a new object of the same name starts with a new memory. */
export class Memories {
  readonly #byUid = new Map<string, Memory>();

  of({ metadata }: KubeObject): Memory {
    const uid = metadata.uid ?? "";
    const known = this.#byUid.get(uid);
    if (known) return known;
    const memory = new Memory();
    this.#byUid.set(uid, memory);
    return memory;
  }

  find({ metadata }: KubeObject): Memory | undefined {
    return this.#byUid.get(metadata.uid ?? "");
  }

  forget({ metadata }: KubeObject): void {
    this.#byUid.delete(metadata.uid ?? "");
  }
}
