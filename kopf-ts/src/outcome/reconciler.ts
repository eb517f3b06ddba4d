import type { Client } from "../api/client.ts";
import type { KubeObject } from "../api/object.ts";
import type { Cache } from "../cache/cache.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { OutcomeOf } from "./outcome.ts";
import type { Recorder } from "./recorder.ts";

/** A reconciler's second argument. */
export interface Context {
  /** Live reads. Writes belong in the Outcome; those made here are refused once leadership is lost. */
  readonly client: Client;
  /** Reads that cost nothing: `ctx.cache(pods).list({ labels })`. */
  readonly cache: Cache;
  readonly clock: Clock;
  /** Names the controller, the object and the reconcile in every line. */
  readonly logger: Logger;
  /** Aborts when the pass has taken too long, leadership is lost, or the program stops. */
  readonly signal: AbortSignal;
  /** One per pass. */
  readonly reconcileID: string;
  /** For events outside an Outcome. */
  readonly recorder: Recorder;
  /** @internal Keeps the object from its next pass until this has ended, however the pass ends. */
  readonly outlasts?: (straggler: Promise<unknown>) => void;
}

/**
 * Observes and returns what should be. Called with the cached (frozen) object; never for a deleted one.
 * Level-triggered: it may be called at any time, any number of times, and must not depend on the reason.
 * Errors are retried with a growing delay; TerminalError is not.
 *
 * @example
 * ```ts
 * import { pods, progressing, type Reconciler, ready } from "kopf-ts";
 *
 * const reconcile: Reconciler = ({ metadata }, ctx) => {
 *   const found = ctx.cache(pods).list({ namespace: metadata.namespace, labels: { app: metadata.name } });
 *   return found.length > 0 ? ready({ pods: found.length }) : progressing("NoPods", "no pod has started yet");
 * };
 * ```
 */
export type Reconciler<T extends KubeObject = KubeObject> = (object: T, ctx: Context) => Promise<OutcomeOf<T>> | OutcomeOf<T>;

/**
 * A retry would change nothing: counted and logged, not retried until something changes.
 *
 * @example
 * ```ts
 * import { type DynamicObject, type Outcome, ready, TerminalError } from "kopf-ts";
 *
 * function reconcile({ spec }: DynamicObject): Outcome {
 *   if (spec.version > 2) throw new TerminalError(`version ${spec.version} is not supported; use 1 or 2`);
 *   return ready();
 * }
 * ```
 */
export class TerminalError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "TerminalError";
  }
}

/** An object that should be created exists already and belongs to another owner. The pass is retried. */
export class ForeignObjectError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "ForeignObjectError";
  }
}
