import { z } from "zod";
import { artifactReference } from "../fields/artifact-reference.ts";
import { statusBase } from "../fields/condition.ts";
import { byKey, decimal, digest, labels, objectName, serverName, text, time, whole } from "../fields/field.ts";
import { isolationStatus } from "../fields/isolation.ts";
import { lifecycle } from "../fields/lifecycle.ts";
import { losses } from "../fields/losses.ts";
import { costs, interval, measuredTasks } from "../fields/measurement.ts";
import { requires } from "../fields/requires.ts";
import { sampling } from "../fields/sampling.ts";
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
  candidate: armName().describe("Arm that must be better."),
  baseline: armName().describe("Arm that it is compared with."),
  rule: z
    .enum(["LowerBound", "PointEstimate"])
    .default("LowerBound")
    .describe("What must reach the threshold: the lower end of the 95 % interval, or the estimate alone."),
  thresholdPoints: whole(-100, 100).default(5).describe("Required gain in percentage points of Pass@1."),
  maxRelativeDropPercent: whole(1, 100)
    .optional()
    .describe(
      "Instead of a gain: the candidate's Pass@1 may be smaller than the baseline's by less than this share of it, such as 10 for NF4 against bf16.",
    ),
  confidence: decimal()
    .default("0.95")
    .describe(
      "Confidence of the gate's interval, between 0.5 and 0.9999, split over the looks. Tell several gates on one task set apart by it.",
    ),
  mode: z
    .enum(["Full", "Smoke"])
    .default("Full")
    .describe("Smoke decides on few tasks and without control arms, and says so; it is for a first look, not for a promotion."),
  minimumTasks: whole(1, 100000)
    .default(100)
    .describe(
      "With fewer independent tasks the verdict is Inconclusive, whatever the numbers. Tasks that share a cluster count as one. With fewer than about ten it is so in any case.",
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
        serverRef: z.object({ name: serverName().describe("Name of the ModelServer.") }).describe("The ModelServer that answers."),
        adapter: objectName(52).optional().describe("Adapter of the arm; the base model alone when neither this nor adapters is set."),
        adapters: z
          .object({
            matchLabels: labels().describe("Labels that the Adapters carry."),
            assign: z
              .enum(["Scope", "Shuffled"])
              .default("Scope")
              .describe(
                "Scope: each task is answered by the adapter that a session of its scope would choose among these; Shuffled: by another task's, never its own (the wrong-trajectory control). A task without an adapter is answered by the base and counted.",
              ),
          })
          .optional()
          .describe("Adapters of the arm, one for each task."),
        context: z
          .object({
            sessions: z
              .object({ matchLabels: labels().describe("Labels of the AgentSessions.") })
              .optional()
              .describe("Sessions that are told of."),
            artifact: artifactReference.optional().describe("A trajectory, or a corpus of many, in the registry."),
            pick: z
              .enum(["Nearest", "All"])
              .default("Nearest")
              .describe("Those of the task's own scope, or, where none is, of the most similar task; or all of them."),
            as: z.enum(["Notes", "Trajectories"]).default("Notes").describe("What of them is told: what they noted, or what they did."),
            maxTokens: whole(64, 131072)
              .default(1024)
              .describe("Most tokens of it, estimated at four characters each; what doesn't fit is left out."),
          })
          .optional()
          .describe(
            "Experience as text in front of every task: the rival of memory in weights, and what a hypernetwork is distilled from.",
          ),
      }),
    )
    .min(1)
    .max(8)
    .meta(byKey("name"))
    .describe("What is compared. Every arm answers the same tasks."),
  taskSet: taskSetReference,
  seenTasks: z
    .enum(["Refuse", "Allow"])
    .default("Refuse")
    .describe("Whether adapters may be measured on tasks that they have learnt from. With Allow the report says so in its first line."),
  samples: whole(1, 100).default(5).describe("Programs that each arm writes for each task."),
  sampling: sampling.default({}),
  sandbox: sandbox.default({}),
  seed: whole(0, 2147483647)
    .default(0)
    .describe("Orders the tasks, and chooses them where `maxTasks` leaves some out. It reaches the engine only where that is safe."),
  concurrency: whole(1, 64).default(4).describe("Tasks that are worked on at once."),
  gate: gate.optional().describe("The gate. Its verdict is Passed, Failed or Inconclusive, and never touches Ready."),
  looks: whole(1, 5)
    .default(1)
    .describe(
      "How often the gate is looked at, at equal shares of the tasks; it may end the evaluation early, with stricter intervals so that its confidence stands.",
    ),
  deadlineSeconds: whole(60, 2592000).default(86400).describe("Longest time from first start to end."),
  requires,
  ...lifecycle,
});

const status = z.object({
  ...statusBase,
  epoch: whole(0, 1000000).optional().describe("Raised before each evaluator pod is created; older ones are fenced by it."),
  arms: z
    .array(
      z.object({
        name: armName().describe("Name of the arm."),
        adapterDigest: digest().optional().describe("Manifest digest of the arm's adapter."),
        assigned: whole(0, 100000).optional().describe("Tasks that have an adapter, where the arm has one for each."),
        unassigned: whole(0, 100000).optional().describe("Tasks that the base answers, because no adapter fits them."),
        costs: costs.optional(),
        completed: whole(0, 10000000).describe("Programs that were judged."),
        total: whole(0, 10000000).describe("Programs in all."),
        passAt1: interval.optional().describe("Pass@1 with its interval over tasks."),
      }),
    )
    .max(8)
    .meta(byKey("name"))
    .optional()
    .describe("Where each arm stands."),
  taskSet: measuredTasks.optional().describe("The tasks, frozen before the first program runs."),
  sandbox: sandboxStatus.optional(),
  losses: losses.optional(),
  startTime: time().optional().describe("When the work began."),
  activeArms: z.array(armName()).max(mostArmsTogether).optional().describe("Arms that are measured now, all by one ModelServer."),
  activeAdapters: z
    .array(objectName(52))
    .max(512)
    .optional()
    .describe("Adapters of those arms that are claimed now, no more than their server has slots for."),
  look: whole(1, 5).optional().describe("Look that is being measured, or at which the evaluation ended."),
  comparisons: z
    .array(
      z.object({
        candidate: armName().describe("Arm that is compared."),
        delta: interval.describe("Gain over the baseline in percentage points, paired by task."),
      }),
    )
    .max(8)
    .meta(byKey("candidate"))
    .optional()
    .describe("Every arm against the baseline: the gate's, or the first."),
  delta: interval.optional().describe("Gain of candidate over baseline in percentage points, paired by task."),
  verdict: z.enum(["Passed", "Failed", "Inconclusive"]).optional().describe("Verdict of the gate."),
  isolation: isolationStatus.optional(),
  report: artifactReference.optional().describe("The report: every sample, the numbers and a written assessment."),
  mlflowRunID: text(64).optional().describe("Run in the experiment tracker."),
});

export const evaluation = defineKind({
  kind: "Evaluation",
  plural: "evaluations",
  singular: "evaluation",
  shortNames: ["rev"],
  description: "A measurement: arms answer the same held-out tasks, and a paired interval says what the difference is worth.",
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
    { name: "Delta", type: "string", jsonPath: ".status.delta.estimate", description: "Gain in percentage points." },
    { name: "Lower", type: "string", jsonPath: ".status.delta.lower", description: "Lower end of its 95 % interval." },
    { name: "Report", type: "string", jsonPath: ".status.report.digest", description: "Digest of the report.", priority: 1 },
  ),
});
export type Evaluation = ObjectOf<typeof evaluation>;
