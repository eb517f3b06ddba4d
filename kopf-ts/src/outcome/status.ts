import { isDeepStrictEqual } from "node:util";
import type { KubeObject } from "../api/object.ts";
import { sentStatus } from "../api/schema.ts";
import type { Change } from "../cache/store.ts";
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
import { type Outcome, type OutcomeKind, unchanged } from "./outcome.ts";

type ConditionStatuses = Readonly<Record<string, "True" | "False">>;

/** Each kind of outcome in kstatus's terms (cli-utils, pkg/kstatus); a type not named here is removed. */
const conditionsByOutcome: Readonly<Record<Exclude<OutcomeKind, "unchanged">, ConditionStatuses>> = {
  ready: { Ready: "True" },
  progressing: { Ready: "False", Reconciling: "True" },
  waiting: { Ready: "False", Reconciling: "True" },
  stalled: { Ready: "False", Stalled: "True" },
  failed: { Ready: "False", Stalled: "True", Failed: "True" },
  succeeded: { Ready: "True", Succeeded: "True" },
};

const frameworkTypes = ["Ready", "Reconciling", "Stalled", "Succeeded", "Failed"] as const;

/** Whether the outcome would revert an ending. */
export function contradictsEnding(object: KubeObject, outcome: Outcome): boolean {
  if (outcome.kind === "unchanged" || !isTerminal(object)) return false;
  return outcome.kind !== (isTrue(object, "Succeeded") ? "succeeded" : "failed");
}

/**
 * The whole status of the outcome, or undefined if the object has it already. Fields that the outcome does
 * not name stay; conditions of other types stay; transition times change only with the status of their condition.
 * `until`: the outcome's claim is held back; this condition, which says why, takes its place.
 */
export function nextStatus(object: KubeObject, outcome: Outcome, now: Date, until?: ConditionInput): Record<string, unknown> | undefined {
  if (outcome.kind === "unchanged" && outcome.conditions.length === 0 && !saysInvalid(object)) return undefined;
  const sent = sentStatus(object);
  const old = (sent ?? {}) as Record<string, unknown>;
  const next: Record<string, unknown> = { ...old };
  for (const [name, value] of Object.entries(outcome.status ?? {})) {
    if (value === undefined) delete next[name];
    else next[name] = asJson(value);
  }
  const observedGeneration = object.metadata.generation;
  const said = until ? unchanged().condition(until) : outcome;
  next.conditions = nextConditions(conditionsOf({ status: sent }), said, { now, observedGeneration });
  next.observedGeneration = said.kind === "unchanged" ? old.observedGeneration : observedGeneration;
  if (next.observedGeneration === undefined) delete next.observedGeneration;
  return isDeepStrictEqual(next, old) ? undefined : next;
}

function nextConditions(old: readonly Condition[], outcome: Outcome, at: { now: Date; observedGeneration?: number }): readonly Condition[] {
  const inputs: ConditionInput[] = [];
  // An object that is reconciled matches its schema.
  let conditions = outcome.reason === invalidReason ? old : old.filter(({ reason }) => reason !== invalidReason);
  if (outcome.kind !== "unchanged") {
    const told = conditionsByOutcome[outcome.kind];
    for (const type of frameworkTypes) {
      const status = told[type];
      if (status) inputs.push({ type, status, reason: outcome.reason, message: outcome.message });
      else if (!outcome.conditions.some((condition) => condition.type === type)) conditions = removeCondition(conditions, type);
    }
  }
  // kstatus reads only the first of Reconciling and Stalled.
  if (outcome.kind === "unchanged") conditions = withoutOpposite(conditions, outcome.conditions);
  for (const input of [...inputs.filter(({ type }) => !outcome.conditions.some((own) => own.type === type)), ...outcome.conditions]) {
    conditions = setCondition(conditions, input, at);
  }
  return conditions;
}

/** What is said beside a status that stays: that it is stalled ends `Reconciling`, and the framework's own `Stalled` ends with it. */
function withoutOpposite(conditions: readonly Condition[], said: readonly ConditionInput[]): readonly Condition[] {
  const isSaid = (type: string) => said.some((condition) => condition.type === type && condition.status === "True");
  if (isSaid("Stalled")) return removeCondition(conditions, "Reconciling");
  return isSaid("Reconciling") ? conditions.filter(({ type, reason }) => type !== "Stalled" || reason !== writeFailedReason) : conditions;
}

/**
 * The reason of the condition about an object that does not match the schema of its resource, and of the Event about
 * it.
 */
export const invalidReason = "InvalidObject";

function saysInvalid(object: KubeObject): boolean {
  return conditionsOf(object).some(({ reason }) => reason === invalidReason);
}

/** The reason of `Reconciling` while passes keep failing. */
export const retryingReason = "Retrying";

/** Replaces a claim until the writes that it depends on have been made. */
export const writing: ConditionInput = {
  type: "Reconciling",
  status: "True",
  reason: "Writing",
  message: "what this object needs is being written",
};

/** The reason of `Reconciling` while the server refuses a pass's writes, and of `Stalled` once it has done so for long. */
export const writeFailedReason = "WriteFailed";

/** The condition about failing passes, if the object has it. */
export function retryingOf(object: KubeObject): Condition | undefined {
  return [getCondition(object, "Reconciling"), getCondition(object, "Stalled")].find(
    (condition) => condition?.status === "True" && (condition.reason === retryingReason || condition.reason === writeFailedReason),
  );
}

/** Whether a change is only that condition, and what it says of Ready: it must not shorten the pause after a failure. */
export function isOnlyRetrying<T extends KubeObject>(change: Change<T>): boolean {
  if (change.type !== "updated" || change.old === change.object || !retryingOf(change.object)) return false;
  const said = ["Reconciling", "Stalled", ...(getCondition(change.object, "Ready")?.reason === writeFailedReason ? ["Ready"] : [])];
  return isDeepStrictEqual(without(said, change.old), without(said, change.object));
}

function without(types: readonly string[], object: KubeObject): object {
  const conditions = conditionsOf(object).filter(({ type }) => !types.includes(type));
  return { ...object, metadata: { ...object.metadata, resourceVersion: "" }, status: { ...(object.status as object), conditions } };
}

/** As the server will return it: JSON has no `undefined`. */
function asJson(value: unknown): unknown {
  return typeof value === "object" && value !== null ? JSON.parse(JSON.stringify(value)) : value;
}
