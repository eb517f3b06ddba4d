import { z } from "zod";
import { artifactReference } from "../fields/artifact-reference.ts";
import { digest, repository, text, whole } from "../fields/field.ts";
import { costs, rate } from "../fields/measurement.ts";
import { mostSamples, sampling } from "../fields/sampling.ts";
import { parts } from "../fields/task-set.ts";
import { gate, mostArmsTogether } from "../kinds/evaluation.ts";
import { mlflow, model, nats, owner, registry, resolvedSandbox } from "./pod.ts";

/** Arms of the evaluator, resolved. */
const evaluatorArm = z.object({
  name: text(30),
  model: model.describe("Model that answers the arm's tasks; `name` is asked for each task without an entry in `assigned`."),
  adapterDigest: digest().optional(),
  assigned: z
    .record(text(100), text(63))
    .optional()
    .describe("Adapters by task: the ID of a task → the name of the adapter that answers it. Other tasks are answered by the base model."),
  control: z
    .enum(["WrongTrajectory", "Mean", "Random", "Zero"])
    .optional()
    .describe("Kind of control arm: other tasks' adapters, the mean of the right ones, noise or zeros; unset if the arm is no control."),
  generated: z
    .boolean()
    .optional()
    .describe("Whether a hypernetwork made the arm's adapters. A gate on them requires control arms, whatever the gain."),
  adapters: z
    .array(artifactReference.extend({ name: text(63), generation: whole(0, 1000000) }))
    .max(512)
    .describe("All adapters of the arm. None may have learnt from a task of the set, unless `seenTasks` is Allow."),
  context: z
    .object({
      artifacts: z.array(artifactReference).max(500).describe("Artifacts of the sessions' trajectories, or of corpora of many."),
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
  active: z.array(text(30)).min(1).max(mostArmsTogether).describe("Names of the arms that this pod measures, in order, all on one server."),
  claimed: z
    .array(text(63))
    .max(512)
    .describe(
      "Names of the adapters that are claimed now and may be asked, in addition to the base model. Tasks of other adapters belong to other epochs.",
    ),
  arms: z.array(evaluatorArm).min(1).max(8),
  taskSet: z.object({
    ...artifactReference.shape,
    part: z.enum(parts),
    maxTasks: whole(1, 100000).optional(),
  }),
  seenTasks: z.enum(["Refuse", "Allow"]),
  samples: whole(1, mostSamples),
  sampling,
  seed: whole(0, 2147483647),
  concurrency: whole(1, 64),
  gate: gate.optional(),
  look: z
    .object({ number: whole(1, 5), of: whole(1, 5) })
    .describe("Look of the gate: the tasks up to the share `number` / `of` of the set are measured."),
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
        passAt1: rate.optional().describe("Pass@1 of all that the arm answered so far; unset while a task of this look is unanswered."),
        completed: whole(0, 1e9),
        costs: costs.optional().describe("Tokens, time and executions that the arm has used so far, over all looks."),
      }),
    )
    .min(1)
    .max(mostArmsTogether),
  decided: z
    .boolean()
    .optional()
    .describe("Whether the evaluation ends at this look; only set after its last arm. Otherwise it continues if there are looks left."),
  delta: rate.optional(),
  comparisons: z
    .array(
      z.object({
        candidate: text(30),
        delta: rate,
        lead: rate.optional().describe("Gain of the gate's candidate over this arm, with the interval that the gate decides by."),
      }),
    )
    .max(8)
    .optional(),
  controlsMissing: text(300)
    .optional()
    .describe("Why the verdict is at best Inconclusive, because control arms are missing; unset if none are."),
  verdict: z.enum(["Passed", "Failed", "Inconclusive"]).optional(),
  /** the reason for the verdict, and what to do about an inconclusive one */
  why: text(300).optional(),
  report: z.object({ repository: text(200), digest: digest() }).optional(),
  mlflowRunID: text(64).optional(),
});
export type EvaluatorResult = z.infer<typeof evaluatorResult>;
