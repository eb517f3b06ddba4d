import { isDeepStrictEqual } from "node:util";
import { ConditionType } from "@rune/crds/words/conditions";
import { getCondition, type KubeObject, type Outcome, type Reconciler, unchanged } from "kopf-ts";

/** A status that only tells how far the work has got is written at most this often for each object. */
const betweenSeconds = 1;

/**
 * The same reconciler, whose passes over an object at work don't each write a status: a log grows many times a second, and each write
 * wakes everybody who watches the object. What is held back is told by a pass of its own a moment later. Whatever else a pass has to
 * say or do, such as an ending, goes through at once.
 */
export function gathering<T extends KubeObject>(reconcile: Reconciler<T>): Reconciler<T> {
  /** When an object's progress was told, by UID, the oldest first; forgotten as soon as the next may be told. */
  const told = new Map<string, number>();
  return async (object, context) => {
    const outcome = await reconcile(object, context);
    if (saysNothingNew(object, outcome)) return outcome;
    const { uid = "" } = object.metadata;
    const now = context.clock.monotonic() / 1000;
    for (const [each, time] of told) {
      if (now - time < betweenSeconds) break;
      told.delete(each);
    }
    const before = told.get(uid);
    if (before !== undefined && isProgress(object, outcome)) return heldBack(outcome, betweenSeconds - (now - before));
    told.delete(uid);
    if (outcome.kind === "progressing") told.set(uid, now);
    return outcome;
  };
}

function saysNothingNew(object: KubeObject, outcome: Outcome): boolean {
  const stored = (object.status ?? {}) as Record<string, unknown>;
  const isSaid = getCondition(object, ConditionType.Ready)?.message === outcome.message;
  return isSaid && Object.entries(outcome.status ?? {}).every(([field, value]) => isDeepStrictEqual(stored[field], value));
}

/** Whether the same work simply goes on. */
function isProgress(object: KubeObject, { kind, reason, creates, applies, deletes, effects, events, requeueAtOnce }: Outcome): boolean {
  const acts = [creates, applies, deletes, effects, events].some(({ length }) => length > 0) || requeueAtOnce;
  return kind === "progressing" && !acts && getCondition(object, ConditionType.Ready)?.reason === reason;
}

function heldBack({ requeueAfterSeconds = Number.POSITIVE_INFINITY }: Outcome, seconds: number): Outcome {
  return unchanged().again(Math.min(seconds, requeueAfterSeconds));
}
