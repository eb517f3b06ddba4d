import { z } from "zod";
import { artifactReference } from "../fields/artifact-reference.ts";
import { digest, repository, text, whole } from "../fields/field.ts";
import { costs, rate } from "../fields/measurement.ts";
import { sampling } from "../fields/sampling.ts";
import { parts } from "../fields/task-set.ts";
import { gate, mostArmsTogether } from "../kinds/evaluation.ts";
import { mlflow, model, nats, owner, registry, resolvedSandbox } from "./pod.ts";

/** Arms of the evaluator, resolved. */
const evaluatorArm = z.object({
  name: text(30),
  model: model.describe("`name` is what is asked where no assignment names another."),
  adapterDigest: digest().optional(),
  assigned: z
    .record(text(100), text(63))
    .optional()
    .describe("Id of a task → name of the adapter that answers it; a task that isn't here is answered by the base."),
  control: z
    .enum(["WrongTrajectory", "Mean", "Random", "Zero"])
    .optional()
    .describe(
      "What the arm is there to be compared with, where it is a control: other tasks' adapters, the mean of the right ones, or noise.",
    ),
  generated: z
    .boolean()
    .optional()
    .describe("Whether a hypernetwork made the arm's adapters: a gate on them wants control arms whatever the gain."),
  adapters: z
    .array(artifactReference.extend({ name: text(63), generation: whole(0, 1000000) }))
    .max(512)
    .describe("Every adapter of the arm: what they learnt from may not hold a task of the set."),
  context: z
    .object({
      artifacts: z.array(artifactReference).max(500).describe("Trajectories, or corpora of many."),
      pick: z.enum(["Nearest", "All"]),
      as: z.enum(["Notes", "Trajectories"]),
      maxTokens: whole(64, 131072),
    })
    .optional(),
});

/** Input of the evaluator: one epoch of an evaluation, that is, one unit of its arms and adapters, within one look. */
export const evaluatorJob = z.object({
  owner,
  epoch: whole(1, 1000000),
  active: z
    .array(text(30))
    .min(1)
    .max(mostArmsTogether)
    .describe("Names of the arms that this pod works on, in their order; one server answers them all."),
  claimed: z.array(text(63)).max(512).describe("Adapters that may be asked now, beside the base: tasks of others come in another epoch."),
  arms: z.array(evaluatorArm).min(1).max(8),
  taskSet: z.object({
    ...artifactReference.shape,
    part: z.enum(parts),
    maxTasks: whole(1, 100000).optional(),
  }),
  seenTasks: z.enum(["Refuse", "Allow"]),
  samples: whole(1, 100),
  sampling,
  seed: whole(0, 2147483647),
  concurrency: whole(1, 64),
  gate: gate.optional(),
  look: z.object({ number: whole(1, 5), of: whole(1, 5) }).describe("Tasks up to this share of the set are worked on."),
  sandbox: resolvedSandbox,
  registry,
  report: z.object({ repository: repository() }),
  nats,
  mlflow,
  deadline: z.iso.datetime(),
});
export type EvaluatorJob = z.infer<typeof evaluatorJob>;

/** Termination message of the evaluator (at most 4 KiB): results of its arms; from the last one also the report. */
export const evaluatorResult = z.object({
  arms: z
    .array(
      z.object({
        name: text(30),
        passAt1: rate.optional().describe("Of all that the arm answered so far; unset while a task of this look is unanswered."),
        completed: whole(0, 1e9),
        costs: costs.optional().describe("Of the arm so far, over all looks."),
      }),
    )
    .min(1)
    .max(mostArmsTogether),
  decided: z
    .boolean()
    .optional()
    .describe("After the last arm of a look: whether the evaluation ends here. Unset and false go on, where there are looks left."),
  delta: rate.optional(),
  comparisons: z
    .array(z.object({ candidate: text(30), delta: rate }))
    .max(8)
    .optional(),
  controlsMissing: text(300).optional().describe("Why the verdict is at best Inconclusive for want of control arms."),
  verdict: z.enum(["Passed", "Failed", "Inconclusive"]).optional(),
  /** the reason for the verdict, and what to do about an inconclusive one */
  why: text(300).optional(),
  report: z.object({ repository: text(200), digest: digest() }).optional(),
  mlflowRunID: text(64).optional(),
});
export type EvaluatorResult = z.infer<typeof evaluatorResult>;
