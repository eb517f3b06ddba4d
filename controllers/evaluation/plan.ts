import { chosenTasks } from "@rune/clients/tasks/task-set";
import { clusterOf, type HeldOutTask } from "@rune/crds/contracts/task-set";
import { artifactReference } from "@rune/crds/fields/artifact-reference";
import { measuredTasks } from "@rune/crds/fields/measurement";
import type { Evaluation } from "@rune/crds/kinds/evaluation";
import type { DynamicObject } from "kopf-ts";
import { z } from "zod";
import type { ConfigMap } from "../pods/manifest.ts";
import { ownedMetadata } from "../pods/pod.ts";
import type { Blocker } from "../shared/check.ts";
import { planName } from "../shared/names.ts";
import { Reason } from "../shared/reasons.ts";
import { measuredOn } from "../shared/task-set.ts";
import { armPlan } from "./arm-plan.ts";
import { tasksOfLooks } from "./batches.ts";
import { EvaluationReason } from "./reasons.ts";
import type { World } from "./world.ts";

const plannedAdapter = artifactReference.extend({ name: z.string(), generation: z.number() });
const plannedArm = z.object({
  name: z.string(),
  control: z.enum(["WrongTrajectory", "Mean", "Random", "Zero"]).optional(),
  generated: z.boolean().optional(),
  server: z.object({
    name: z.string(),
    shared: z.number().describe("Adapters that several arms may claim together."),
  }),
  adapters: z.array(plannedAdapter),
  assigned: z.record(z.string(), z.string()).optional(),
  batches: z.array(z.object({ adapters: z.array(z.string()), looks: z.array(z.number()) })).min(1),
  context: z.object({ artifacts: z.array(artifactReference) }).optional(),
});
export type PlannedArm = z.infer<typeof plannedArm>;

/**
 * What an evaluation will do, fixed in an immutable ConfigMap before its first program: adapters and sessions change,
 * and a restarted operator must continue with the same ones.
 */
const plan = z.object({
  taskSet: measuredTasks.required({ repository: true, clusters: true }),
  looks: z
    .array(z.object({ tasks: z.number(), clusters: z.number() }))
    .min(1)
    .describe("What each look has measured in all."),
  arms: z.array(plannedArm).min(1),
});
export type Plan = z.infer<typeof plan>;

const key = "plan.json";
/** A Kubernetes object holds 1 MiB, and the evaluator's input contains more than the plan. */
const largestPlan = 900 * 1024;

export function planConfigMap(evaluation: Evaluation, content: Plan): ConfigMap {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: ownedMetadata(evaluation, planName(evaluation)),
    immutable: true,
    data: { [key]: JSON.stringify(content) },
  };
}

export const readPlan = (configMap: DynamicObject | undefined): Plan | undefined =>
  configMap && plan.parse(JSON.parse(configMap.data?.[key] ?? "null"));

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
  if (JSON.stringify(content).length > largestPlan)
    return {
      reason: EvaluationReason.PlanTooLarge,
      message: `the adapters of ${tasks.length} tasks in ${spec.arms.length} arms don't fit into one object of Kubernetes; set spec.taskSet.maxTasks, or compare fewer arms, in a new evaluation`,
    };
  return content;
}
