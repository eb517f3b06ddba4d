import { isDeepStrictEqual } from "node:util";
import { ConditionType } from "@rune/crds/words/conditions";
import { getCondition, type KubeObject, type Outcome, type Reconciler, unchanged } from "kopf-ts";

/** The shortest time between two writes of a status that only reports progress, per object. */
const betweenSeconds = 1;

/**
 * The same reconciler, whose passes over an object at work don't each write a status: a log grows many times a second,
 * and each write is sent to all watches of the object. A status that is held back is written by a later pass. Any other
 * change or effect of a pass, such as the end of the work, is written at once.
 */
export function throttlingStatus<T extends KubeObject>(reconcile: Reconciler<T>): Reconciler<T> {
  /** When an object's progress was written, by UID, the oldest first; removed as soon as the next may be written. */
  const written = new Map<string, number>();
  return async (object, context) => {
    const outcome = await reconcile(object, context);
    if (isUnchanged(object, outcome)) return outcome;
    const { uid = "" } = object.metadata;
    const now = context.clock.monotonic() / 1000;
    for (const [each, time] of written) {
      if (now - time < betweenSeconds) break;
      written.delete(each);
    }
    const before = written.get(uid);
    if (before !== undefined && isProgress(object, outcome)) return delayed(outcome, betweenSeconds - (now - before));
    written.delete(uid);
    if (outcome.kind === "progressing") written.set(uid, now);
    return outcome;
  };
}

function isUnchanged(object: KubeObject, outcome: Outcome): boolean {
  const stored = (object.status ?? {}) as Record<string, unknown>;
  const isSaid = getCondition(object, ConditionType.Ready)?.message === outcome.message;
  return isSaid && Object.entries(outcome.status ?? {}).every(([field, value]) => isDeepStrictEqual(stored[field], value));
}

/** Whether the same work continues. */
function isProgress(object: KubeObject, { kind, reason, creates, applies, deletes, effects, events, requeueAtOnce }: Outcome): boolean {
  const acts = [creates, applies, deletes, effects, events].some(({ length }) => length > 0) || requeueAtOnce;
  return kind === "progressing" && !acts && getCondition(object, ConditionType.Ready)?.reason === reason;
}

function delayed({ requeueAfterSeconds = Number.POSITIVE_INFINITY }: Outcome, seconds: number): Outcome {
  return unchanged().again(Math.min(seconds, requeueAfterSeconds));
}
