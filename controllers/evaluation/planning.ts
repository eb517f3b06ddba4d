import { chosenTasks } from "@rune/clients/tasks/task-set";
import { clusterOf, type HeldOutTask } from "@rune/crds/contracts/task-set";
import type { Blocker } from "../shared/check.ts";
import { Reason } from "../shared/reasons.ts";
import { measuredOn } from "../shared/task-set.ts";
import { armPlan } from "./arm-plan.ts";
import { tasksOfLooks } from "./batches.ts";
import type { Plan, PlannedArm } from "./plan.ts";
import { EvaluationReason } from "./reasons.ts";
import type { World } from "./world.ts";

/** A Kubernetes object holds 1 MiB, and the evaluator's input contains more than the plan. */
const largestPlan = 900 * 1024;

const distinct = (tasks: readonly HeldOutTask[]) => new Set(tasks.map(clusterOf)).size;

/** The plan of an evaluation, or why it can't be made yet. */
export function planOf(world: World): Plan | Blocker {
  const { evaluation, tasks: found } = world;
  if (!found || "blocker" in found) return found?.blocker ?? { reason: Reason.TaskSetMissing, message: "no task set was read" };
  const { spec } = evaluation;
  const { part, maxTasks } = spec.taskSet;
  const tasks = chosenTasks(found.set, { part, maxTasks, seed: spec.seed });
  if (tasks.length === 0)
    return {
      reason: EvaluationReason.PartEmpty,
      message: `none of the ${found.set.tasks.length} tasks is in part ${part}; add tasks to the set, or name another part in a new evaluation`,
    };
  const looks = tasksOfLooks(tasks, spec.looks);
  const arms: PlannedArm[] = [];
  for (const arm of spec.arms) {
    const planned = armPlan(arm, world, looks);
    if ("reason" in planned) return planned;
    arms.push(planned);
  }
  const content: Plan = {
    taskSet: measuredOn(spec, found, tasks),
    looks: looks.map((_, index) => {
      const reached = looks.slice(0, index + 1).flat();
      return { tasks: reached.length, clusters: distinct(reached) };
    }),
    arms,
  };
  if (Buffer.byteLength(JSON.stringify(content)) > largestPlan)
    return {
      reason: EvaluationReason.PlanTooLarge,
      message: `the adapters of ${tasks.length} tasks in ${spec.arms.length} arms don't fit into one object of Kubernetes; set spec.taskSet.maxTasks, or compare fewer arms, in a new evaluation`,
    };
  return content;
}
