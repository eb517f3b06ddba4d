/** The status of a condition (`metav1.ConditionStatus`). */
export type ConditionStatus = "True" | "False" | "Unknown";

/** A condition as stored (KEP-1623, `metav1.Condition`). */
export interface Condition {
  type: string;
  status: ConditionStatus;
  reason: string;
  message: string;
  lastTransitionTime: string;
  observedGeneration?: number;
}

/** A condition as a reconciler gives it: the framework adds the rest. */
export interface ConditionInput {
  readonly type: string;
  readonly status: ConditionStatus;
  readonly reason: string;
  readonly message?: string;
}

/** Anything that has conditions: an object, or only its status. */
export type HasConditions = { readonly status?: unknown };

/** The conditions of an object; an empty list if it has none. */
export function conditionsOf(object: HasConditions): readonly Condition[] {
  const conditions = (object.status as { conditions?: unknown } | undefined)?.conditions;
  return Array.isArray(conditions) ? conditions : [];
}

/** The condition of this type, if the object has it. */
export function getCondition(object: HasConditions, type: string): Condition | undefined {
  return conditionsOf(object).find((condition) => condition.type === type);
}

/** Whether the condition is there and `True`. */
export function isTrue(object: HasConditions, type: string): boolean {
  return getCondition(object, type)?.status === "True";
}

/** Whether the condition is there and `False`. */
export function isFalse(object: HasConditions, type: string): boolean {
  return getCondition(object, type)?.status === "False";
}

/**
 * Whether a bounded object has ended: `Succeeded` or `Failed` is `True`. Such a state is sticky: the framework never
 * reverts it.
 */
export function isTerminal(object: HasConditions): boolean {
  return isTrue(object, "Succeeded") || isTrue(object, "Failed");
}

/** The API server refuses longer messages (`metav1.Condition`: 32,768 characters). */
const longestMessage = 32_768;

/**
 * The list with one condition set. `lastTransitionTime` changes only when the status does; an unchanged condition
 * is kept as it is, object identity included, so that an unchanged list can be recognised cheaply.
 */
export function setCondition(
  conditions: readonly Condition[],
  input: ConditionInput,
  at: { now: Date; observedGeneration?: number },
): readonly Condition[] {
  const index = conditions.findIndex(({ type }) => type === input.type);
  const old = conditions[index];
  const message = (input.message ?? "").slice(0, longestMessage);
  if (
    old?.status === input.status &&
    old.reason === input.reason &&
    old.message === message &&
    old.observedGeneration === at.observedGeneration
  ) {
    return conditions;
  }
  const next: Condition = {
    type: input.type,
    status: input.status,
    reason: input.reason,
    message,
    lastTransitionTime: old?.status === input.status ? old.lastTransitionTime : timestamp(at.now),
    ...(at.observedGeneration === undefined ? {} : { observedGeneration: at.observedGeneration }),
  };
  return index < 0 ? [...conditions, next] : conditions.with(index, next);
}

/** The list without one type; the same list if it was not there. */
export function removeCondition(conditions: readonly Condition[], type: string): readonly Condition[] {
  return conditions.some((condition) => condition.type === type) ? conditions.filter((condition) => condition.type !== type) : conditions;
}

/** `metav1.Time`: whole seconds, UTC. */
export function timestamp(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}

/** `metav1.MicroTime`: microseconds, UTC. */
export function microTimestamp(date: Date): string {
  return date.toISOString().replace("Z", "000Z");
}
