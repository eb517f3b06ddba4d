import { isDeepStrictEqual } from "node:util";
import {
  type Condition,
  type ConditionInput,
  conditionsOf,
  getCondition,
  isTerminal,
  isTrue,
  removeCondition,
  setCondition,
} from "./conditions.ts";
import type { KubeObject } from "./object.ts";
import type { Outcome, OutcomeKind } from "./outcome.ts";
import type { Change } from "./store.ts";

type Told = Readonly<Record<string, "True" | "False">>;

/** What each kind of outcome says in kstatus's words (cli-utils, pkg/kstatus); a type not named here is taken away. */
const words: Readonly<Record<Exclude<OutcomeKind, "unchanged">, Told>> = {
  ready: { Ready: "True" },
  progressing: { Ready: "False", Reconciling: "True" },
  waiting: { Ready: "False", Reconciling: "True" },
  stalled: { Ready: "False", Stalled: "True" },
  failed: { Ready: "False", Stalled: "True", Failed: "True" },
  succeeded: { Ready: "True", Succeeded: "True" },
};

const frameworkTypes = ["Ready", "Reconciling", "Stalled", "Succeeded", "Failed"] as const;

/** Whether the outcome would take back an ending. */
export function contradictsEnding(object: KubeObject, outcome: Outcome): boolean {
  if (outcome.kind === "unchanged" || !isTerminal(object)) return false;
  return outcome.kind !== (isTrue(object, "Succeeded") ? "succeeded" : "failed");
}

/**
 * The whole status that the outcome asks for, or undefined if the object has it already. Fields that the outcome does
 * not name stay; conditions of other types stay; times of transition move only with the status of their condition.
 */
export function nextStatus(object: KubeObject, outcome: Outcome, now: Date): Record<string, unknown> | undefined {
  if (outcome.kind === "unchanged" && outcome.conditions.length === 0) return undefined;
  const old = (object.status ?? {}) as Record<string, unknown>;
  const next: Record<string, unknown> = { ...old };
  for (const [name, value] of Object.entries(outcome.status ?? {})) {
    if (value === undefined) delete next[name];
    else next[name] = asJson(value);
  }
  const observedGeneration = object.metadata.generation;
  next.conditions = nextConditions(conditionsOf(object), outcome, { now, observedGeneration });
  next.observedGeneration = outcome.kind === "unchanged" ? old.observedGeneration : observedGeneration;
  if (next.observedGeneration === undefined) delete next.observedGeneration;
  return isDeepStrictEqual(next, old) ? undefined : next;
}

function nextConditions(old: readonly Condition[], outcome: Outcome, at: { now: Date; observedGeneration?: number }): readonly Condition[] {
  const inputs: ConditionInput[] = [];
  let conditions = old;
  if (outcome.kind !== "unchanged") {
    const told = words[outcome.kind];
    for (const type of frameworkTypes) {
      const status = told[type];
      if (status) inputs.push({ type, status, reason: outcome.reason, message: outcome.message });
      else if (!outcome.conditions.some((condition) => condition.type === type)) conditions = removeCondition(conditions, type);
    }
  }
  for (const input of [...inputs.filter(({ type }) => !outcome.conditions.some((own) => own.type === type)), ...outcome.conditions]) {
    conditions = setCondition(conditions, input, at);
  }
  return conditions;
}

/** The reason of `Reconciling` while passes keep failing. */
export const retryingReason = "Retrying";

/** The word that passes keep failing, where it stands on the object. */
export function retryingOf(object: KubeObject): Condition | undefined {
  const condition = getCondition(object, "Reconciling");
  return condition?.reason === retryingReason ? condition : undefined;
}

/** Whether a change is nothing but that word: it must not cut the pause short that follows a failure. */
export function isOnlyRetrying<T extends KubeObject>(change: Change<T>): boolean {
  if (change.type !== "updated" || change.old === change.object || !retryingOf(change.object)) return false;
  return isDeepStrictEqual(withoutReconciling(change.old), withoutReconciling(change.object));
}

function withoutReconciling(object: KubeObject): object {
  const conditions = conditionsOf(object).filter(({ type }) => type !== "Reconciling");
  return { ...object, metadata: { ...object.metadata, resourceVersion: "" }, status: { ...(object.status as object), conditions } };
}

/** As it will come back from the server: JSON knows no `undefined`. */
function asJson(value: unknown): unknown {
  return typeof value === "object" && value !== null ? JSON.parse(JSON.stringify(value)) : value;
}
