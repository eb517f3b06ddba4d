import type { Evaluation } from "@rune/crds/evaluation";
import type { Arm, ArmStatus } from "./world.ts";

export function deadlineOf(evaluation: Evaluation): Date {
  return new Date(
    Date.parse(evaluation.status?.startTime ?? evaluation.metadata.creationTimestamp) + evaluation.spec.deadlineSeconds * 1000,
  );
}

export function activeArm(evaluation: Evaluation): Arm | undefined {
  return evaluation.spec.arms.find(({ name }) => name === evaluation.status?.activeArm);
}

/** The arms' status with what the log says is done. */
export function withCompleted(arms: readonly ArmStatus[], completed: Readonly<Record<string, number>>): ArmStatus[] {
  return arms.map((arm) => ({ ...arm, completed: Math.max(arm.completed, completed[arm.name] ?? 0) }));
}
