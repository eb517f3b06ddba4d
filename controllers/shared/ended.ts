import { ConditionType } from "@rune/crds/words/conditions";
import type { KubeObject } from "kopf-ts";
import { getCondition, isTerminal, type Outcome, unchanged } from "kopf-ts";

type Bounded = KubeObject & { spec: { ttlSecondsAfterFinished?: number }; status?: unknown };

/** What is left to do for an object that has ended: nothing, until its time to live is over. Children are never the clock. */
export function expire(object: Bounded, now: Date, leftovers: readonly KubeObject[] = []): Outcome {
  const outcome = unchanged().deleting(...leftovers);
  const ttl = object.spec.ttlSecondsAfterFinished;
  if (ttl === undefined) return outcome;
  const remaining = (endedAt(object).getTime() + ttl * 1000 - now.getTime()) / 1000;
  return remaining <= 0 ? outcome.deleting(object) : outcome.again(remaining);
}

/** When an object ended; now, where it hasn't. */
export function endedAt(object: KubeObject): Date {
  const condition = isTerminal(object)
    ? getCondition(object, ConditionType.Succeeded)?.status === "True"
      ? getCondition(object, ConditionType.Succeeded)
      : getCondition(object, ConditionType.Failed)
    : undefined;
  return new Date(condition?.lastTransitionTime ?? Date.now());
}

/** What says that nothing comes of an object by itself: it failed, or it is stalled and waits for a person. */
export const failureOf = (object: Pick<KubeObject, "status">) =>
  [getCondition(object, ConditionType.Failed), getCondition(object, ConditionType.Stalled)].find(
    (condition) => condition?.status === "True",
  );
