import { ConditionType } from "@rune/crds/words/conditions";
import { type Cache, getCondition, isTerminal, isTrue, type KubeObject } from "kopf-ts";
import type { Check } from "./check.ts";
import { Reason } from "./reasons.ts";
import { resourceOfKind } from "./resources.ts";

/** One entry of `spec.requires`, as written. */
export interface Requirement {
  readonly kind: string;
  readonly name: string;
  readonly condition: string;
}

/** A requirement with the object that it names; undefined if that doesn't exist. */
export interface ObservedRequirement extends Requirement {
  readonly object: KubeObject | undefined;
}

/** Reads every required object. Their kinds must be watched, so that their changes trigger a pass. */
export function observeRequirements(
  owner: { metadata: { namespace?: string }; spec: { requires?: readonly Requirement[] } },
  cache: Cache,
): ObservedRequirement[] {
  return (owner.spec.requires ?? []).map((requirement) => {
    const resource = resourceOfKind[requirement.kind];
    const object = resource && cache(resource).get({ namespace: owner.metadata.namespace, name: requirement.name });
    return { ...requirement, object };
  });
}

/** Blocks until every required condition is True; stalls if one can no longer become True. */
export const requirementsMet: Check<{ readonly requirements: readonly ObservedRequirement[] }> = ({ requirements }) => {
  const failed = requirements.find(
    ({ object, condition }) => object && isTerminal(object) && !isTrue(object, condition) && !isOpen(object, condition),
  );
  if (failed) {
    return {
      reason: Reason.RequirementFailed,
      message: `${sentence(failed)}, and it has ended, so that can't change; create a new object that requires another one`,
    };
  }
  const missing = requirements.find(({ object, condition }) => !object || !isTrue(object, condition));
  return missing
    ? {
        reason: Reason.RequirementNotMet,
        message: `waits until ${missing.kind} ${missing.name} is ${missing.condition}: ${sentence(missing)}`,
        retrySeconds: 300,
      }
    : null;
};

/** Whether the condition is one that is only decided after the object's end, and is still Unknown. */
const isOpen = (object: KubeObject, condition: string) =>
  condition === ConditionType.Learnt && getCondition(object, condition)?.status === "Unknown";

function sentence({ kind, name, condition, object }: ObservedRequirement): string {
  if (!object) return `${kind} ${name} doesn't exist yet`;
  const current = getCondition(object, condition);
  if (!current) return `${kind} ${name} has no condition ${condition}`;
  return `${kind} ${name} has ${condition}=${current.status} (${current.reason}${current.message ? `: ${current.message}` : ""})`;
}
