import type { Evaluation } from "@rune/crds/kinds/evaluation";
import type { ArmStatus } from "./world.ts";

export function deadlineOf(evaluation: Evaluation): Date {
  return new Date(
    Date.parse(evaluation.status?.startTime ?? evaluation.metadata.creationTimestamp) + evaluation.spec.deadlineSeconds * 1000,
  );
}

/** Name of the ModelServer in use now; undefined before the first arm. */
export function activeServer({ spec, status }: Evaluation): string | undefined {
  return spec.arms.find(({ name }) => status?.activeArms?.includes(name))?.serverRef.name;
}

/** The arms' status, updated with the progress in the log. */
export function withCompleted(arms: readonly ArmStatus[], completed: Readonly<Record<string, number>>): ArmStatus[] {
  return arms.map((arm) => ({ ...arm, completed: Math.max(arm.completed, completed[arm.name] ?? 0) }));
}
