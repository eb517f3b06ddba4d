import { PodFailure } from "@rune/clients/pod/pod";
import type { EvaluatorJob } from "@rune/crds/contracts/evaluator";
import { exit } from "@rune/crds/contracts/pod";
import type { HeldOutTask } from "@rune/crds/contracts/task-set";

export type Arm = EvaluatorJob["arms"][number];

/** The arms that this job works on. Throws PodFailure when the job contradicts itself. */
export function activeArms({ active, arms }: EvaluatorJob): Arm[] {
  return active.map((wanted) => {
    const found = arms.find(({ name }) => name === wanted);
    if (found) return found;
    throw new PodFailure(
      exit.misconfigured,
      "NoSuchArm",
      `the spec's arm ${wanted} is none of its arms; the operator wrote a spec that contradicts itself`,
    );
  });
}

/**
 * Served name of the model that answers a task: the task's adapter in an arm with one per task, the base where none
 * applies.
 */
export function modelFor({ model, assigned }: Arm, taskId: string): string {
  return assigned ? (assigned[taskId] ?? model.base) : model.name;
}

/**
 * Whether a task may be sent in this epoch. The base needs no claim, so the first epoch sends what no adapter answers.
 */
export function mayAsk({ claimed }: EvaluatorJob, arm: Arm, { id }: HeldOutTask): boolean {
  const model = modelFor(arm, id);
  return model === arm.model.base || claimed.includes(model);
}

/** Whether any adapter answers in this arm. */
export function hasAdapters({ adapters, adapterDigest }: Arm): boolean {
  return adapters.length > 0 || adapterDigest !== undefined;
}
