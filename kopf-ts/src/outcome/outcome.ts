import type { DynamicObject, KubeObject } from "../api/object.ts";
import { checkNumber } from "../core/numbers.ts";
import type { ConditionInput } from "./conditions.ts";

/**
 * - `ready`: it is as the spec says.
 * - `progressing`: we are getting there; a change of something watched brings the next pass.
 * - `waiting`: something else must happen first; we look again after a while.
 * - `stalled`: a person must act; a change of the spec (or of something watched) brings the next pass.
 * - `failed`: a bounded object could not do what it was asked. Final.
 * - `succeeded`: a bounded object did what it was asked. Final.
 * - `unchanged`: nothing to say; the status stays as it is.
 */
export type OutcomeKind = "ready" | "progressing" | "waiting" | "stalled" | "failed" | "succeeded" | "unchanged";

/** An idempotent act on the outside world. It runs last, and again in a later pass if that pass still asks for it. */
export interface Effect {
  readonly name: string;
  /** Must be safe to repeat. The signal aborts when the pass has to end. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

/** An Event as a reconciler says it; the Recorder adds the rest. */
export interface EventInput {
  readonly type: "Normal" | "Warning";
  /** UpperCamelCase, for machines. */
  readonly reason: string;
  /** A sentence, for people. At most 1,024 characters are kept. */
  readonly note: string;
  /** What was done, UpperCamelCase. Default: the reason. */
  readonly action?: string;
  readonly related?: KubeObject;
}

/**
 * The fields of status that a reconciler has something to say about. Each replaces the stored field of that name; a
 * field that is `undefined` is removed; a field that is not there is left alone. `conditions` and `observedGeneration`
 * belong to the framework and are ignored here, so spreading an old status is safe.
 */
export type StatusFields = object;

interface Parts {
  readonly kind: OutcomeKind;
  readonly reason: string;
  readonly message: string;
  readonly status: StatusFields | undefined;
  readonly applies: readonly DynamicObject[];
  readonly creates: readonly DynamicObject[];
  readonly deletes: readonly KubeObject[];
  readonly effects: readonly Effect[];
  readonly events: readonly EventInput[];
  readonly conditions: readonly ConditionInput[];
  readonly finalizers: Readonly<Record<string, boolean>>;
  readonly requeueAfterSeconds: number | undefined;
  readonly requeueAtOnce: boolean;
}

/**
 * What a reconciler has decided: a value, not an act. It holds no client and touches nothing, so tests can read it.
 * Every method returns a new Outcome. The framework carries it out in this order, each step only if the one before
 * succeeded: finalizers added → status (one write, only if it says something new) → events → creates → applies → deletes →
 * effects → finalizers removed.
 *
 * @example
 * ```ts
 * import { ready } from "kopf-ts";
 *
 * const outcome = ready({ size: 3 })
 *   .applying({ apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "shop", name: "a" }, data: { size: "3" } })
 *   .event("Normal", "Resized", "the size is 3 now")
 *   .again(300);
 * console.log(outcome.kind, outcome.applies.length, outcome.requeueAfterSeconds);
 * ```
 */
export class Outcome implements Parts {
  readonly kind: OutcomeKind;
  readonly reason: string;
  readonly message: string;
  readonly status: StatusFields | undefined;
  readonly applies: readonly DynamicObject[];
  readonly creates: readonly DynamicObject[];
  readonly deletes: readonly KubeObject[];
  readonly effects: readonly Effect[];
  readonly events: readonly EventInput[];
  readonly conditions: readonly ConditionInput[];
  readonly finalizers: Readonly<Record<string, boolean>>;
  readonly requeueAfterSeconds: number | undefined;
  readonly requeueAtOnce: boolean;

  /** Use the functions below: `ready(…)`, `waiting(…)`, … */
  constructor(parts: Pick<Parts, "kind" | "reason" | "message"> & Partial<Parts>) {
    this.kind = parts.kind;
    this.reason = parts.reason;
    this.message = parts.message;
    this.status = parts.status;
    this.applies = parts.applies ?? [];
    this.creates = parts.creates ?? [];
    this.deletes = parts.deletes ?? [];
    this.effects = parts.effects ?? [];
    this.events = parts.events ?? [];
    this.conditions = parts.conditions ?? [];
    this.finalizers = parts.finalizers ?? {};
    this.requeueAfterSeconds = parts.requeueAfterSeconds;
    this.requeueAtOnce = parts.requeueAtOnce ?? false;
  }

  #with(change: Partial<Parts>): Outcome {
    return new Outcome({ ...(this as Parts), ...change });
  }

  /** Server-side apply, forced, as the controller's field manager: whole manifests of what should be. */
  applying(...objects: readonly DynamicObject[]): Outcome {
    return this.#with({ applies: [...this.applies, ...objects] });
  }

  /**
   * Create-only. One that exists already is fine if it has the same controller (by UID) or, without a controller, every label
   * that is given here; else the pass fails with ForeignObjectError.
   */
  creating(...objects: readonly DynamicObject[]): Outcome {
    return this.#with({ creates: [...this.creates, ...objects] });
  }

  /** Deletes exactly these objects: by UID, so that a successor of the same name survives. Gone already is fine. */
  deleting(...objects: readonly KubeObject[]): Outcome {
    return this.#with({ deletes: [...this.deletes, ...objects] });
  }

  /**
   * An idempotent act on the outside world, after every write to the API. What it throws fails the pass.
   *
   * @example
   * ```ts
   * import { mkdir } from "node:fs/promises";
   * import { ready } from "kopf-ts";
   *
   * const outcome = ready().effect("folder", async () => void (await mkdir("/data/a", { recursive: true })));
   * ```
   */
  effect(name: string, run: (signal: AbortSignal) => Promise<void>): Outcome {
    return this.#with({ effects: [...this.effects, { name, run }] });
  }

  /** An Event, published once the status is persisted. Repetitions are aggregated. */
  event(type: EventInput["type"], reason: string, note: string, more: Pick<EventInput, "action" | "related"> = {}): Outcome {
    return this.#with({ events: [...this.events, { type, reason, note, ...more }] });
  }

  /**
   * Another pass after so many seconds, even if nothing changes. The shortest wish wins. 0 is no wish, as in
   * controller-runtime's Result: a time that was computed and has run out asks for `atOnce()`.
   * @throws RangeError for what is no time: NaN, negative, endless.
   */
  again(seconds: number): Outcome {
    checkNumber(".again(seconds)", seconds, "a time, zero or more");
    if (seconds === 0) return this;
    return this.#with({ requeueAfterSeconds: Math.min(seconds, this.requeueAfterSeconds ?? seconds) });
  }

  /** Another pass when this one has been carried out, for what is done in several steps. One that asks again and again is made to wait, longer each time, as after failures. */
  atOnce(): Outcome {
    return this.#with({ requeueAtOnce: true });
  }

  /** Whether this finalizer should be there. It is added before anything else and removed after everything else succeeded. */
  finalizer(name: string, present: boolean): Outcome {
    return this.#with({ finalizers: { ...this.finalizers, [name]: present } });
  }

  /** One more condition beside the framework's own; it may also overrule one of those (a server that serves while it rolls stays Ready). */
  condition(condition: ConditionInput): Outcome {
    return this.#with({ conditions: [...this.conditions, condition] });
  }
}

/** Whether a value is an Outcome, whatever else it may be. */
export function isOutcome(value: unknown): value is Outcome {
  try {
    return value instanceof Outcome;
  } catch {
    return false;
  }
}

/**
 * Ready=True; nothing is left to do until something changes.
 *
 * @param status - Fields of status to write.
 * @param said - Reason and message of the condition.
 *
 * @example
 * ```ts
 * import { ready } from "kopf-ts";
 *
 * const outcome = ready({ replicas: 3 }, { reason: "Available", message: "3 of 3 replicas are available" });
 * ```
 */
export function ready(status?: StatusFields, said: { reason?: string; message?: string } = {}): Outcome {
  return new Outcome({ kind: "ready", reason: said.reason ?? "Ready", message: said.message ?? "", status });
}

/**
 * Ready=False, Reconciling=True: a change of something watched brings the next pass.
 *
 * @example
 * ```ts
 * import { progressing } from "kopf-ts";
 *
 * const outcome = progressing("Starting", "2 of 3 replicas are available", { replicas: 2 });
 * ```
 */
export function progressing(reason: string, message: string, status?: StatusFields): Outcome {
  return new Outcome({ kind: "progressing", reason, message, status });
}

/**
 * Ready=False, Reconciling=True; another pass after `afterSeconds`, for what nobody watches.
 *
 * @throws RangeError unless `afterSeconds` is a time above zero.
 *
 * @example
 * ```ts
 * import { waiting } from "kopf-ts";
 *
 * const outcome = waiting("RegistryUnavailable", "the registry returns 503", 30);
 * ```
 */
export function waiting(reason: string, message: string, afterSeconds: number, status?: StatusFields): Outcome {
  checkNumber(`waiting("${reason}"): afterSeconds`, afterSeconds, "a time above zero");
  return new Outcome({ kind: "waiting", reason, message, status, requeueAfterSeconds: afterSeconds });
}

/**
 * Ready=False, Stalled=True: a person must act. Say what to do in the message.
 *
 * @example
 * ```ts
 * import { stalled } from "kopf-ts";
 *
 * const outcome = stalled("SecretMissing", "the Secret shop/token does not exist; create it");
 * ```
 */
export function stalled(reason: string, message: string, status?: StatusFields): Outcome {
  return new Outcome({ kind: "stalled", reason, message, status });
}

/**
 * Ready=False, Stalled=True, Failed=True: final, for bounded objects. It is never taken back.
 *
 * @example
 * ```ts
 * import { failed } from "kopf-ts";
 *
 * const outcome = failed("DeadlineExceeded", "the run has not ended within 600 s");
 * ```
 */
export function failed(reason: string, message: string, status?: StatusFields): Outcome {
  return new Outcome({ kind: "failed", reason, message, status });
}

/**
 * Ready=True, Succeeded=True: final, for bounded objects. It is never taken back.
 *
 * @example
 * ```ts
 * import { succeeded } from "kopf-ts";
 *
 * const outcome = succeeded({ digest: "sha256:0a1b" });
 * ```
 */
export function succeeded(status?: StatusFields, said: { reason?: string; message?: string } = {}): Outcome {
  return new Outcome({ kind: "succeeded", reason: said.reason ?? "Succeeded", message: said.message ?? "", status });
}

/**
 * The status stays as it is: for objects that have ended, are going away, or have no status of ours.
 *
 * @example
 * ```ts
 * import { unchanged } from "kopf-ts";
 *
 * const outcome = unchanged().finalizer("example.dev/folder", false);
 * ```
 */
export function unchanged(): Outcome {
  return new Outcome({ kind: "unchanged", reason: "", message: "" });
}
