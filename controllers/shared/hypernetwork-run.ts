import { methodOf } from "@rune/crds/kinds/methods";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import { ConditionType } from "@rune/crds/words/conditions";
import { getCondition, isTrue } from "kopf-ts";
import type { Blocker } from "./check.ts";
import { Reason } from "./reasons.ts";

/** Why a TrainingRun can never provide a hypernetwork; null if it has one, or may still. */
export function neverAHypernetwork(run: TrainingRun): Blocker | null {
  const { name } = run.metadata;
  if (!run.spec.hypernetwork) {
    const message = `the TrainingRun ${name} trains no hypernetwork, its method is ${methodOf(run)}`;
    return { reason: Reason.NotAHypernetwork, message };
  }
  if (!isTrue(run, ConditionType.Failed)) return null;
  return {
    reason: Reason.RunFailed,
    message: `the TrainingRun ${name} has failed: ${getCondition(run, ConditionType.Failed)?.message ?? ""}`,
  };
}
