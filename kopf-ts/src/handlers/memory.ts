import type { KubeObject } from "../api/object.ts";
import type { Daemon } from "./daemons.ts";
import type { Progress } from "./persistence.ts";
import type { TimerState } from "./timers.ts";

/** What handlers of one object keep in memory for each other. Nothing of it survives a restart. */
// biome-ignore lint/suspicious/noExplicitAny: the handlers' own; they know what they put there
export type Memo = Record<string, any>;

/** What this process knows about one object beside what the API says. Nothing in it has to survive a restart. */
export class Memory {
  memo: Memo | undefined;
  /** Set while the object has to be resumed: how far each resume handler has come. */
  resuming: Map<string, Progress> | undefined;
  /** The version that our last write made, and until when (monotonic milliseconds) an older one is not believed. */
  awaited: { readonly resourceVersion: string; readonly until: number } | undefined;
  /** Handlers that were called, though what came of it could not be recorded: they may have acted on a state that is no more. */
  begun: ReadonlySet<string> | undefined;
  /** How far handlers have come where that could not be written on the object: it counts all the same. */
  readonly unwritten = new Map<string, Progress>();
  /** A pass whose handlers have run, though the server could not be reached to write what came of it: written first of all by the next pass. */
  unsettled: unknown;
  /** All its delete handlers have ended; only the finalizer is left to take away. */
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

/** The memories of one resource's objects, by UID: a namesake starts with a memory of its own. */
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

  values(): IterableIterator<Memory> {
    return this.#byUid.values();
  }

  forget({ metadata }: KubeObject): void {
    this.#byUid.delete(metadata.uid ?? "");
  }
}
