import type { DynamicObject, KubeObject, NewObject } from "../api/object.ts";
import type { StatusFields, StatusOf } from "../api/written.ts";
import { checkNumber } from "../core/numbers.ts";
import type { ConditionInput } from "./conditions.ts";

/**
 * - `ready`: it is as the spec says.
 * - `progressing`: we are getting there; a change of something watched brings the next pass.
 * - `waiting`: something else must happen first; another pass after a while.
 * - `stalled`: a person must act; a change of the spec (or of something watched) brings the next pass.
 * - `failed`: a bounded object could not do its work. Final.
 * - `succeeded`: a bounded object did its work. Final.
 * - `unchanged`: the status stays as it is.
 */
export type OutcomeKind = "ready" | "progressing" | "waiting" | "stalled" | "failed" | "succeeded" | "unchanged";

/** An idempotent act on the outside world. It runs last, and again in a later pass if that pass still requests it. */
export interface Effect {
  readonly name: string;
  /** Must be safe to repeat. The signal aborts when the pass has to end. */
  readonly run: (signal: AbortSignal) => Promise<void>;
}

/** An Event as a reconciler gives it; the Recorder adds the rest. */
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

/** What an Outcome is made of. */
export interface OutcomeParts<Status> {
  readonly kind: OutcomeKind;
  readonly reason: string;
  readonly message: string;
  readonly status: Status | undefined;
  readonly applies: readonly DynamicObject[];
  readonly adopts: readonly DynamicObject[];
  readonly creates: readonly NewObject[];
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
 * succeeded: finalizers added → status (one write, only if it has changed) → events → creates → applies → deletes →
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
 *
 * `Status` is the type of the fields of status that it names; a controller takes those that its kind has. `Outcome` alone
 * fits every kind and is not checked: functions that return one are better declared with `OutcomeOf<Widget>`.
 */
// biome-ignore lint/suspicious/noExplicitAny: an Outcome that is declared without a status fits every kind
export class Outcome<out Status = any, out Names = any> implements OutcomeParts<Status> {
  /** Never set: carries the names of the fields of status, so that one which a kind does not have is told from its own. */
  declare readonly names?: Names;
  readonly kind: OutcomeKind;
  readonly reason: string;
  readonly message: string;
  readonly status: Status | undefined;
  readonly applies: readonly DynamicObject[];
  /** Those of `applies` that may be taken over. */
  readonly adopts: readonly DynamicObject[];
  readonly creates: readonly NewObject[];
  readonly deletes: readonly KubeObject[];
  readonly effects: readonly Effect[];
  readonly events: readonly EventInput[];
  readonly conditions: readonly ConditionInput[];
  readonly finalizers: Readonly<Record<string, boolean>>;
  readonly requeueAfterSeconds: number | undefined;
  readonly requeueAtOnce: boolean;

  /** Use the functions below: `ready(…)`, `waiting(…)`, … */
  constructor(parts: Pick<OutcomeParts<Status>, "kind" | "reason" | "message"> & Partial<OutcomeParts<Status>>) {
    this.kind = parts.kind;
    this.reason = parts.reason;
    this.message = parts.message;
    this.status = parts.status;
    this.applies = parts.applies ?? [];
    this.adopts = parts.adopts ?? [];
    this.creates = parts.creates ?? [];
    this.deletes = parts.deletes ?? [];
    this.effects = parts.effects ?? [];
    this.events = parts.events ?? [];
    this.conditions = parts.conditions ?? [];
    this.finalizers = parts.finalizers ?? {};
    this.requeueAfterSeconds = parts.requeueAfterSeconds;
    this.requeueAtOnce = parts.requeueAtOnce ?? false;
  }

  #with(change: Partial<OutcomeParts<Status>>): Outcome<Status, Names> {
    return new Outcome<Status, Names>({ ...(this as OutcomeParts<Status>), ...change });
  }

  /**
   * Server-side apply, forced, as the controller's field manager: whole manifests of what should be. A manifest with a
   * controller (`ownerReference(object)`) does not take an object that is there already from its owner, nor from nobody:
   * the pass fails with ForeignObjectError.
   */
  applying(...objects: readonly DynamicObject[]): Outcome<Status, Names> {
    return this.#with({ applies: [...this.applies, ...objects] });
  }

  /** Applies as `applying` does, and takes over what is there already and belongs to nobody: it goes with its new owner then. */
  adopting(...objects: readonly DynamicObject[]): Outcome<Status, Names> {
    return this.#with({ applies: [...this.applies, ...objects], adopts: [...this.adopts, ...objects] });
  }

  /**
   * Create-only. An existing one is accepted if it has the same controller (by UID) or, without a controller, every
   * label that is given here; else the pass fails with ForeignObjectError.
   */
  creating(...objects: readonly NewObject[]): Outcome<Status, Names> {
    return this.#with({ creates: [...this.creates, ...objects] });
  }

  /** Deletes exactly these objects: by UID, so that a successor of the same name survives. Gone already is fine. */
  deleting(...objects: readonly KubeObject[]): Outcome<Status, Names> {
    return this.#with({ deletes: [...this.deletes, ...objects] });
  }

  /**
   * An idempotent act on the outside world, after every write to the API. An error that it throws fails the pass.
   *
   * @example
   * ```ts
   * import { mkdir } from "node:fs/promises";
   * import { ready } from "kopf-ts";
   *
   * const outcome = ready().effect("folder", async () => void (await mkdir("/data/a", { recursive: true })));
   * ```
   */
  effect(name: string, run: (signal: AbortSignal) => Promise<void>): Outcome<Status, Names> {
    return this.#with({ effects: [...this.effects, { name, run }] });
  }

  /** An Event, published once the status is persisted. Repetitions are aggregated. */
  event(type: EventInput["type"], reason: string, note: string, more: Pick<EventInput, "action" | "related"> = {}): Outcome<Status, Names> {
    return this.#with({ events: [...this.events, { type, reason, note, ...more }] });
  }

  /**
   * Another pass after this number of seconds, even if nothing changes. The shortest one wins. 0 is ignored, as in
   * controller-runtime's Result: for a computed time that has run out use `atOnce()`.
   * @throws RangeError for an invalid time: NaN, negative, infinite.
   */
  again(seconds: number): Outcome<Status, Names> {
    checkNumber(".again(seconds)", seconds, "a time, zero or more");
    if (seconds === 0) return this;
    return this.#with({ requeueAfterSeconds: Math.min(seconds, this.requeueAfterSeconds ?? seconds) });
  }

  /** Another pass when this one has been carried out, for what is done in several steps. One that asks again and again is made to wait, longer each time, as after failures. */
  atOnce(): Outcome<Status, Names> {
    return this.#with({ requeueAtOnce: true });
  }

  /** Whether this finalizer should be there. It is added before anything else and removed after everything else succeeded. */
  finalizer(name: string, present: boolean): Outcome<Status, Names> {
    return this.#with({ finalizers: { ...this.finalizers, [name]: present } });
  }

  /** One more condition beside the framework's own; it may also overrule one of those (a server that serves while it rolls stays Ready). */
  condition(condition: ConditionInput): Outcome<Status, Names> {
    return this.#with({ conditions: [...this.conditions, condition] });
  }
}

/** What an outcome for a kind may say of its status. */
export type OutcomeOf<T extends KubeObject> = Outcome<StatusFields<T>, keyof StatusOf<T> | "conditions" | "observedGeneration">;

/** The status of an outcome that names no field of it. */
export type NoStatus = Record<never, never>;

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
export function ready<const Status extends object = NoStatus>(
  status?: Status,
  said: { reason?: string | undefined; message?: string | undefined } = {},
): Outcome<Status, keyof Status> {
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
export function progressing<const Status extends object = NoStatus>(
  reason: string,
  message: string,
  status?: Status,
): Outcome<Status, keyof Status> {
  return new Outcome({ kind: "progressing", reason, message, status });
}

/**
 * Ready=False, Reconciling=True; another pass after `afterSeconds`, for what no watch reports.
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
export function waiting<const Status extends object = NoStatus>(
  reason: string,
  message: string,
  afterSeconds: number,
  status?: Status,
): Outcome<Status, keyof Status> {
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
export function stalled<const Status extends object = NoStatus>(
  reason: string,
  message: string,
  status?: Status,
): Outcome<Status, keyof Status> {
  return new Outcome({ kind: "stalled", reason, message, status });
}

/**
 * Ready=False, Stalled=True, Failed=True: final, for bounded objects. It is never reverted.
 *
 * @example
 * ```ts
 * import { failed } from "kopf-ts";
 *
 * const outcome = failed("DeadlineExceeded", "the run has not ended within 600 s");
 * ```
 */
export function failed<const Status extends object = NoStatus>(
  reason: string,
  message: string,
  status?: Status,
): Outcome<Status, keyof Status> {
  return new Outcome({ kind: "failed", reason, message, status });
}

/**
 * Ready=True, Succeeded=True: final, for bounded objects. It is never reverted.
 *
 * @example
 * ```ts
 * import { succeeded } from "kopf-ts";
 *
 * const outcome = succeeded({ digest: "sha256:0a1b" });
 * ```
 */
export function succeeded<const Status extends object = NoStatus>(
  status?: Status,
  said: { reason?: string | undefined; message?: string | undefined } = {},
): Outcome<Status, keyof Status> {
  return new Outcome({ kind: "succeeded", reason: said.reason ?? "Succeeded", message: said.message ?? "", status });
}

/**
 * The status stays as it is: for objects that have ended, are being deleted, or have no status of ours.
 *
 * @example
 * ```ts
 * import { unchanged } from "kopf-ts";
 *
 * const outcome = unchanged().finalizer("example.dev/folder", false);
 * ```
 */
export function unchanged(): Outcome<NoStatus, never> {
  return new Outcome({ kind: "unchanged", reason: "", message: "" });
}
