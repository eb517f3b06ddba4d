import { z } from "zod";
import { artifactReference } from "../fields/artifact-reference.ts";
import { statusBase } from "../fields/condition.ts";
import { byKey, decimal, digest, labels, objectName, serverName, text, time, whole } from "../fields/field.ts";
import { isolationStatus } from "../fields/isolation.ts";
import { lifecycle } from "../fields/lifecycle.ts";
import { losses } from "../fields/losses.ts";
import { costs, interval, measuredTasks } from "../fields/measurement.ts";
import { requires } from "../fields/requires.ts";
import { mostSamples, sampling } from "../fields/sampling.ts";
import { sandbox, sandboxStatus } from "../fields/sandbox.ts";
import { taskSetReference } from "../fields/task-set.ts";
import { columns, defineKind, type ObjectOf } from "./kind.ts";

/** Arms per evaluator: the result of each must fit into its termination message of 4 KiB. */
export const mostArmsTogether = 6;

const armName = () =>
  z
    .string()
    .min(1)
    .max(30)
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);

/**
 * With fewer independent tasks no gate decides: a mean of so few isn't normal yet, and one unlucky cluster would have
 * changed it. (ADR 0014.)
 */
export const fewestClusters = 10;

export const gate = z.object({
  candidate: armName().describe("Name of the arm that must be better."),
  baseline: armName().describe("Name of the arm that the candidate is compared with."),
  rule: z
    .enum(["LowerBound", "PointEstimate"])
    .default("LowerBound")
    .describe(
      "What must reach the threshold. LowerBound: the lower bound of the gain's confidence interval. PointEstimate: the estimate alone.",
    ),
  thresholdPoints: whole(-100, 100)
    .default(5)
    .describe("Required gain of the candidate over the baseline, in percentage points of Pass@1."),
  maxRelativeDropPercent: whole(1, 100)
    .optional()
    .describe(
      "Allowed relative drop instead of a required gain: the candidate's Pass@1 may be below the baseline's by less than this percentage of it, such as 10 for NF4 against bf16.",
    ),
  confidence: decimal()
    .default("0.95")
    .describe(
      "Confidence level of the gate's interval, between 0.5 and 0.9999, divided among the `looks`. Raise it if several gates are decided on one task set.",
    ),
  mode: z
    .enum(["Full", "Smoke"])
    .default("Full")
    .describe(
      "Full, or Smoke for a first look, which decides on few tasks and without control arms, says so, and isn't meant for promotions.",
    ),
  minimumTasks: whole(1, 100000)
    .default(100)
    .describe(
      "Minimum number of independent tasks, below which the verdict is Inconclusive. Tasks that share a cluster count as one. Fewer than about ten are never enough.",
    ),
});

export type Gate = z.infer<typeof gate>;

/**
 * The gate's verdict is Inconclusive with fewer independent tasks. A smoke test needs only the minimum of any verdict.
 */
export function clustersNeeded({ mode, minimumTasks }: Gate): number {
  return mode === "Smoke" ? fewestClusters : Math.max(minimumTasks, fewestClusters);
}

const spec = z.object({
  arms: z
    .array(
      z.object({
        name: armName().describe("Name of the arm."),
        serverRef: z
          .object({ name: serverName().describe("Name of the ModelServer.") })
          .describe("ModelServer that answers the arm's prompts."),
        adapter: objectName(52)
          .optional()
          .describe("Name of the arm's Adapter; the base model answers alone when neither `adapter` nor `adapters` is set."),
        adapters: z
          .object({
            matchLabels: labels().describe("Labels that the Adapters must have."),
            assign: z
              .enum(["Scope", "Shuffled"])
              .default("Scope")
              .describe(
                "How adapters are assigned. Scope: each task gets the adapter that a session of its scope would choose. Shuffled: each gets another task's adapter, never its own, as the wrong-trajectory control. A task without an adapter is answered by the base model.",
              ),
          })
          .optional()
          .describe("Selection of Adapters by label, one of which answers each task."),
        context: z
          .object({
            sessions: z
              .object({ matchLabels: labels().describe("Labels that the AgentSessions must have.") })
              .optional()
              .describe("AgentSessions whose experience is put into the prompts; either this or `artifact` is set."),
            artifact: artifactReference
              .optional()
              .describe(
                "Artifact with a trajectory, or with a corpus of many, whose experience is put into the prompts; either this or `sessions` is set.",
              ),
            pick: z
              .enum(["Nearest", "All"])
              .default("Nearest")
              .describe(
                "Which sessions a task's prompt includes. Nearest: those of the task's own scope or, if there are none, of the most similar task. All: every session.",
              ),
            as: z
              .enum(["Notes", "Trajectories"])
              .default("Notes")
              .describe(
                "What a prompt includes of each session: its Notes, or its Trajectories, which are its programs with their results.",
              ),
            maxTokens: whole(64, 131072)
              .default(1024)
              .describe("Maximum size of the experience in tokens, estimated at four characters each; what doesn't fit is left out."),
          })
          .optional()
          .describe("Experience of earlier sessions that is put as text in front of every task, for comparison with adapters."),
      }),
    )
    .min(1)
    .max(8)
    .meta(byKey("name"))
    .describe("Arms that are compared. Every arm answers the same tasks."),
  taskSet: taskSetReference,
  seenTasks: z
    .enum(["Refuse", "Allow"])
    .default("Refuse")
    .describe(
      "Whether adapters may be measured on tasks that they have learnt from, and contexts on tasks that their sessions have worked on. Refuse fails the evaluation; Allow makes the report say so in its first line.",
    ),
  samples: whole(1, mostSamples).default(5).describe("Number of programs that each arm writes per task."),
  sampling: sampling.default({}),
  sandbox: sandbox.default({}),
  seed: whole(0, 2147483647)
    .default(0)
    .describe(
      "Seed by which tasks are ordered, sampled (with `taskSet.maxTasks`) and shuffled among adapters. It isn't passed to the engine.",
    ),
  concurrency: whole(1, 64).default(4).describe("Number of tasks that are worked on concurrently."),
  gate: gate
    .optional()
    .describe("Criterion by which two arms are compared. Its verdict is Passed, Failed or Inconclusive, and doesn't affect Ready."),
  looks: whole(1, 5)
    .default(1)
    .describe(
      "Number of times that the gate is evaluated, after equal shares of the tasks. It can end the evaluation early; its intervals are stricter, so that the overall confidence holds.",
    ),
  deadlineSeconds: whole(60, 2592000).default(86400).describe("Maximum duration from the first start to the end, in seconds."),
  requires,
  ...lifecycle,
});

const status = z.object({
  ...statusBase,
  epoch: whole(0, 1000000)
    .optional()
    .describe(
      "Number of the current epoch, which has one evaluator pod and one sandbox. It is raised before each new evaluator pod, and fences older ones.",
    ),
  arms: z
    .array(
      z.object({
        name: armName().describe("Name of the arm."),
        adapterDigest: digest().optional().describe("Manifest digest of the Adapter in the arm's `adapter`."),
        assigned: whole(0, 100000)
          .optional()
          .describe("Number of tasks that an adapter is assigned to; only set for an arm with `adapters`."),
        unassigned: whole(0, 100000)
          .optional()
          .describe("Number of tasks that the base model answers, because no adapter fits them; only set for an arm with `adapters`."),
        costs: costs.optional(),
        completed: whole(0, 10000000).describe("Number of the arm's programs that were judged."),
        total: whole(0, 10000000).describe("Number of programs that the arm writes in all."),
        passAt1: interval
          .optional()
          .describe("Pass@1 (share of programs that pass, from 0 to 1), with its confidence interval over tasks."),
      }),
    )
    .max(8)
    .meta(byKey("name"))
    .optional()
    .describe("Progress and results of each arm."),
  taskSet: measuredTasks.optional().describe("Tasks of the measurement, frozen before the first program runs."),
  sandbox: sandboxStatus.optional(),
  losses: losses.optional(),
  startTime: time().optional().describe("Time at which the work began."),
  activeArms: z
    .array(armName())
    .max(mostArmsTogether)
    .optional()
    .describe("Names of the arms that are being measured, all on one ModelServer."),
  activeAdapters: z
    .array(objectName(52))
    .max(512)
    .optional()
    .describe("Names of the active arms' Adapters that are currently claimed, no more than the ModelServer has slots for."),
  look: whole(1, 5).optional().describe("Number of the look (see `spec.looks`) that is being measured, or at which the evaluation ended."),
  comparisons: z
    .array(
      z.object({
        candidate: armName().describe("Name of the arm that is compared with the baseline."),
        delta: interval.describe("Gain of the arm over the baseline in percentage points of Pass@1, paired by task."),
        lead: interval
          .optional()
          .describe(
            "Gain of the gate's candidate over this arm in percentage points of Pass@1, paired by task, with bounds of the confidence that the gate decides by; unset for the candidate itself and without a gate.",
          ),
      }),
    )
    .max(8)
    .meta(byKey("candidate"))
    .optional()
    .describe("Gain of every other arm over the baseline, which is the gate's, or the first arm without a gate."),
  delta: interval.optional().describe("Gain of the gate's candidate over its baseline in percentage points of Pass@1, paired by task."),
  verdict: z.enum(["Passed", "Failed", "Inconclusive"]).optional().describe("Verdict of the gate."),
  isolation: isolationStatus.optional(),
  report: artifactReference.optional().describe("Artifact with the report: every sample, the results and a written assessment."),
  mlflowRunID: text(64).optional().describe("ID of the run in the experiment tracker, MLflow."),
});

export const evaluation = defineKind({
  kind: "Evaluation",
  plural: "evaluations",
  singular: "evaluation",
  shortNames: ["rev"],
  description:
    "A measurement of models and adapters: several arms answer the same held-out tasks, and their differences get paired confidence intervals.",
  nameMaxLength: 45,
  spec,
  status,
  mutable: ["suspend", "ttlSecondsAfterFinished"],
  frozenBecause: "an Evaluation is the record of one measurement; create a new object instead",
  rules: [
    {
      rule: "self.spec.arms.all(a, !has(a.adapter) || !has(a.adapters))",
      field: ".spec.arms",
      message: "an arm has either adapter or adapters",
    },
    {
      rule: "self.spec.arms.all(a, !has(a.context) || has(a.context.sessions) != has(a.context.artifact))",
      field: ".spec.arms",
      message: "an arm's context needs exactly one of sessions and artifact",
    },
    {
      rule: "has(self.spec.taskSet.repository) == has(self.spec.taskSet.digest) && [has(self.spec.taskSet.digest), has(self.spec.taskSet.configMap), has(self.spec.taskSet.bundled)].filter(x, x).size() == 1",
      field: ".spec.taskSet",
      message: "spec.taskSet needs exactly one of repository with digest, configMap and bundled",
    },
    {
      rule: "self.spec.arms.all(a, self.spec.arms.filter(b, b.name == a.name).size() == 1)",
      field: ".spec.arms",
      message: "every arm of spec.arms needs a name of its own",
    },
    {
      rule: "!has(self.spec.gate) || (self.spec.gate.candidate != self.spec.gate.baseline && self.spec.arms.exists(a, a.name == self.spec.gate.candidate) && self.spec.arms.exists(a, a.name == self.spec.gate.baseline))",
      field: ".spec.gate",
      message: "spec.gate must name two of spec.arms",
    },
    {
      rule: "!has(self.spec.gate) || (double(self.spec.gate.confidence) >= 0.5 && double(self.spec.gate.confidence) <= 0.9999)",
      field: ".spec.gate.confidence",
      message: "spec.gate.confidence must be between 0.5 and 0.9999, such as 0.95",
    },
  ],
  columns: columns(
    { name: "Gate", type: "string", jsonPath: ".status.verdict", description: "Verdict of the gate." },
    {
      name: "Delta",
      type: "string",
      jsonPath: ".status.delta.estimate",
      description: "Gain of the candidate over the baseline in percentage points.",
    },
    { name: "Lower", type: "string", jsonPath: ".status.delta.lower", description: "Lower bound of the gain's 95 % confidence interval." },
    { name: "Report", type: "string", jsonPath: ".status.report.digest", description: "Digest of the report.", priority: 1 },
  ),
});
export type Evaluation = ObjectOf<typeof evaluation>;
