import type { TaskSet } from "@rune/crds/artifact";
import type { MeasuredTasks } from "@rune/crds/common";
import type { Evaluation } from "@rune/crds/evaluation";
import { sharedScope } from "../scope.ts";
import type { Arm, ArmStatus } from "./world.ts";

export function deadlineOf(evaluation: Evaluation): Date {
  return new Date(
    Date.parse(evaluation.status?.startTime ?? evaluation.metadata.creationTimestamp) + evaluation.spec.deadlineSeconds * 1000,
  );
}

/** Arms are measured one at a time, in the order of the spec, so that an evaluation never takes more than one slot. */
export function nextArm(evaluation: Evaluation): Arm | undefined {
  return evaluation.spec.arms.find((arm) => !evaluation.status?.arms?.find(({ name }) => name === arm.name)?.passAt1);
}

export function activeArm(evaluation: Evaluation): Arm | undefined {
  return evaluation.spec.arms.find(({ name }) => name === evaluation.status?.activeArm);
}

/** The arms' status with what the log says is done. */
export function withCompleted(arms: readonly ArmStatus[], completed: Readonly<Record<string, number>>): ArmStatus[] {
  return arms.map((arm) => ({ ...arm, completed: Math.max(arm.completed, completed[arm.name] ?? 0) }));
}

/** What an evaluation measures on, by which measurements are compared: the whole set, or a part that a seed chose. */
export function measuredTasks(asked: { digest: string; maxTasks: number | undefined; seed: number }, { tasks }: TaskSet): MeasuredTasks {
  const { digest, maxTasks = tasks.length, seed } = asked;
  const scope = sharedScope(tasks.map((task) => task.scope ?? {}));
  return {
    digest,
    tasks: Math.min(maxTasks, tasks.length),
    ...(maxTasks < tasks.length && { seed }),
    ...(scope.project && { scope }),
  };
}

/** A number as it stands in status: the API has no floats. */
export const decimalOf = (value: number, digits = 3) => value.toFixed(digits);

export const intervalOf = ({ estimate, lower, upper }: { estimate: number; lower: number; upper: number }, digits?: number) => ({
  estimate: decimalOf(estimate, digits),
  lower: decimalOf(lower, digits),
  upper: decimalOf(upper, digits),
});
