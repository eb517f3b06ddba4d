import type { Client } from "../api/client.ts";
import type { KubeObject } from "../api/object.ts";
import type { Cache } from "../cache/cache.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { Recorder } from "../outcome/recorder.ts";
import type { Reason, ViewParts } from "./context.ts";
import type { Memories } from "./memory.ts";
import type { ObjectPatch, Patcher } from "./object-patch.ts";
import type { Persistence } from "./persistence.ts";

/** Shared by the handlers of one resource. */
export interface Surroundings<T extends KubeObject> {
  readonly client: Client;
  readonly cache: Cache;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly recorder: Recorder;
  readonly persistence: Persistence;
  readonly memories: Memories;
  readonly patcher: Patcher;
  viewParts(object: T, reason: Reason): ViewParts<T>;
  /** The newest known state of the same object. */
  newest(object: T): T;
  /** Our own write created this version: until the cache has it, older ones are ignored. */
  awaitEcho(written: T): void;
  /** Whether anything may begin: called right before every call of a handler. */
  mayBegin(): boolean;
  /** Seconds that one attempt may take. */
  readonly limitSeconds: number;
  /**
   * Writes what a timer, a daemon or an event handler requested. A temporary failure is logged; a permanent one is
   * thrown. Nothing is written once leadership is lost.
   */
  writeResult(object: T, patch: ObjectPatch, logger: Logger): Promise<void>;
}
