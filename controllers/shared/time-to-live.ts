import { ConditionType } from "@rune/crds/words/conditions";
import type { KubeObject } from "kopf-ts";
import { getCondition, isTerminal, type Outcome, unchanged } from "kopf-ts";
import { Reason } from "./reasons.ts";

type Bounded = KubeObject & { spec: { ttlSecondsAfterFinished?: number }; status?: unknown };

/** The outcome for an ended object: unchanged until its time to live is over. Changes of children don't matter. */
export function expire(object: Bounded, now: Date, leftovers: readonly KubeObject[] = []): Outcome {
  const outcome = unchanged().deleting(...leftovers);
  const ttl = object.spec.ttlSecondsAfterFinished;
  if (ttl === undefined) return outcome;
  const remaining = (endedAt(object).getTime() + ttl * 1000 - now.getTime()) / 1000;
  return remaining <= 0 ? outcome.deleting(object) : outcome.again(remaining);
}

/** When an object ended; the current time if it hasn't. */
export function endedAt(object: KubeObject): Date {
  const condition = isTerminal(object)
    ? getCondition(object, ConditionType.Succeeded)?.status === "True"
      ? getCondition(object, ConditionType.Succeeded)
      : getCondition(object, ConditionType.Failed)
    : undefined;
  return new Date(condition?.lastTransitionTime ?? Date.now());
}

/**
 * The condition by which an object can't succeed without help: it failed, or it is stalled and waits for a person. One
 * whose writes are refused is still tried, and goes on as it is when they are accepted.
 */
export const failureOf = (object: Pick<KubeObject, "status">) =>
  [getCondition(object, ConditionType.Failed), getCondition(object, ConditionType.Stalled)].find(
    (condition) => condition?.status === "True" && condition.reason !== Reason.WriteFailed,
  );
