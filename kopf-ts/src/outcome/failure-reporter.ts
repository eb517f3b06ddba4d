import { isPassing, isRefusal } from "../api/api-error.ts";
import { type KubeObject, keyOf } from "../api/object.ts";
import type { Clock } from "../core/clock.ts";
import { type Condition, type ConditionInput, getCondition, isTerminal } from "./conditions.ts";
import { Outcome, unchanged } from "./outcome.ts";
import { ForeignObjectError, TerminalError } from "./reconciler.ts";
import { retryingOf, retryingReason, writeFailedReason } from "./status.ts";
import type { StatusWriter } from "./status-writer.ts";
import type { WriteContext } from "./write-context.ts";

/**
 * A refusal that lasts for longer needs a person: what a new namespace lacks at first, such as its service account, is
 * there by then.
 */
const longRefusalMilliseconds = 60_000;

/** Reports in an object's conditions that its passes fail, or that the server refuses what it needs. */
export class FailureReporter {
  readonly #status: StatusWriter;
  readonly #clock: Clock;

  /** When the server began to refuse what an object needs, by the object's key. */
  readonly #refusedSince = new Map<string, number>();

  /** Errors that are already reported on their object. */
  readonly #reported = new WeakSet<Error>();

  constructor(status: StatusWriter, clock: Clock) {
    this.#status = status;
    this.#clock = clock;
  }

  /**
   * Throws the error again; a refusal that only a person, or time, can change is first reported on the object, if its
   * status is ours.
   */
  async reportRefusal(object: KubeObject, outcome: Outcome, thrown: unknown, ctx: WriteContext): Promise<never> {
    if (outcome.kind !== "unchanged" && !isTerminal(object) && (isRefusal(thrown) || thrown instanceof ForeignObjectError)) {
      const message = `what this object needs could not be written and is tried again: ${thrown.message}`.slice(0, 1024);
      const condition = { type: this.#typeOfRefusal(object, outcome, thrown), status: "True", reason: writeFailedReason, message } as const;
      await this.#write(object, withFailure(outcome, condition, unchanged()), ctx);
      this.#reported.add(thrown);
    }
    throw thrown;
  }

  /** What the outcome itself says to a person is not replaced, and what time alone changes needs nobody. */
  #typeOfRefusal(object: KubeObject, { kind }: Outcome, thrown: Error): "Reconciling" | "Stalled" {
    if (kind === "stalled" || kind === "failed" || isPassing(thrown)) return "Reconciling";
    const key = keyOf(object.metadata);
    const now = this.#clock.monotonic();
    const since = this.#refusedSince.get(key) ?? now;
    this.#refusedSince.set(key, since);
    const isSaid = getCondition(object, "Stalled")?.reason === writeFailedReason;
    return isSaid || now - since >= longRefusalMilliseconds ? "Stalled" : "Reconciling";
  }

  /** What the object of this key needs has been written, or the object was deleted: a later refusal is a new one. */
  forget(key: string): void {
    this.#refusedSince.delete(key);
  }

  /** Reports on the object that its reconciles keep failing, in addition to the rest of its status. Never throws. */
  async reportFailure(object: KubeObject, error: Error, ctx: WriteContext): Promise<void> {
    if (isTerminal(object) || this.#reported.has(error)) return;
    const isFinal = error instanceof TerminalError;
    const message = `the reconcile failed ${isFinal ? "permanently" : "and is tried again"}: ${error.message}`.slice(0, 1024);
    const condition = isFinal ? { type: "Stalled", reason: "TerminalError" } : { type: "Reconciling", reason: retryingReason };
    await this.#write(object, unchanged().condition({ ...condition, status: "True", message }), ctx);
  }

  async #write(object: KubeObject, said: Outcome, ctx: WriteContext): Promise<void> {
    try {
      await this.#status.write(object, said, ctx);
    } catch (problem) {
      ctx.logger.warn("the failure could not be written to the object's status", { error: problem });
    }
  }
}

/** The word on the object that its passes fail, while it has to stay: until a whole outcome has been carried out. */
export function standingFailure(object: KubeObject, outcome: Outcome, { failing }: WriteContext): Condition | undefined {
  const standing = asksForMore(outcome) ? retryingOf(object) : undefined;
  if (standing?.type === "Stalled" && (outcome.kind === "stalled" || outcome.kind === "failed")) return undefined;
  return failing || standing?.reason === writeFailedReason ? standing : undefined;
}

/** Whether the outcome says what is going on, in which no person has to act. */
const isUnderWay = ({ kind }: Outcome) => kind === "progressing" || kind === "waiting";

/**
 * The outcome with the condition that its writes fail, which is about the whole of it where a person must act; otherwise
 * the condition is added to `base`.
 */
export function withFailure(outcome: Outcome, condition: ConditionInput, base: Outcome = outcome): Outcome {
  const { type, reason, message = "" } = condition;
  if (type !== "Stalled" || !isUnderWay(outcome)) return base.condition(condition);
  return new Outcome({ ...outcome, kind: "stalled", reason, message });
}

/** Whether the outcome has steps after the status that may fail. */
const asksForMore = ({ creates, applies, deletes, effects }: Outcome) =>
  [creates, applies, deletes, effects].some(({ length }) => length > 0);
