import { z } from "zod";
import {
  artifactReference,
  bounded,
  interval,
  isolation,
  losses,
  measuredTasks,
  requires,
  sampling,
  sandbox,
  sandboxStatus,
  statusBase,
} from "./common.ts";
import { byKey, digest, objectName, serverName, text, time, whole } from "./field.ts";
import { columns, defineKind, type ObjectOf } from "./kind.ts";

const armName = () =>
  z
    .string()
    .min(1)
    .max(30)
    .regex(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/);

/**
 * Below this many independent tasks no gate decides: a mean of so few isn't normal yet, and one cluster of a kind that wasn't drawn would
 * have changed it. (ADR 0014.)
 */
export const fewestClusters = 10;

const spec = z.object({
  arms: z
    .array(
      z.object({
        name: armName().describe("Name of the arm."),
        serverRef: z.object({ name: serverName().describe("Name of the ModelServer.") }).describe("The ModelServer that answers."),
        adapter: objectName(52).optional().describe("Adapter of the arm; the base model alone when unset."),
      }),
    )
    .min(1)
    .max(8)
    .meta(byKey("name"))
    .describe("What is compared. Every arm answers the same tasks."),
  taskSet: z
    .object({
      ...artifactReference.shape,
      maxTasks: whole(1, 100000).optional().describe("Uses only this many tasks, chosen by the seed."),
    })
    .describe("The held-out tasks, by digest."),
  samples: whole(1, 100).default(5).describe("Programs that each arm writes for each task."),
  sampling: sampling.default({}),
  sandbox: sandbox.default({}),
  seed: whole(0, 2147483647)
    .default(0)
    .describe("Orders the tasks, and chooses them where `maxTasks` leaves some out. It reaches the engine only where that is safe."),
  concurrency: whole(1, 64).default(4).describe("Tasks that are worked on at once."),
  gate: z
    .object({
      candidate: armName().describe("Arm that must be better."),
      baseline: armName().describe("Arm that it is compared with."),
      rule: z
        .enum(["LowerBound", "PointEstimate"])
        .default("LowerBound")
        .describe("What must reach the threshold: the lower end of the 95 % interval, or the estimate alone."),
      thresholdPoints: whole(-100, 100).default(5).describe("Required gain in percentage points of Pass@1."),
      minimumTasks: whole(1, 100000)
        .default(100)
        .describe(
          "With fewer independent tasks the verdict is Inconclusive, whatever the numbers. Tasks that share a cluster count as one. With fewer than about ten it is so in any case.",
        ),
    })
    .optional()
    .describe("The gate. Its verdict is Passed, Failed or Inconclusive, and never touches Ready."),
  deadlineSeconds: whole(60, 2592000).default(86400).describe("Longest time from first start to end."),
  requires,
  ...bounded,
});

const status = z.object({
  ...statusBase,
  epoch: whole(0, 1000000).optional().describe("Raised before each evaluator pod is created; older ones are fenced by it."),
  arms: z
    .array(
      z.object({
        name: armName().describe("Name of the arm."),
        adapterDigest: digest().optional().describe("Manifest digest of the arm's adapter."),
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
  activeArm: armName().optional().describe("Arm that is claimed from its ModelServer now; one at a time."),
  delta: interval.optional().describe("Gain of candidate over baseline in percentage points, paired by task."),
  verdict: z.enum(["Passed", "Failed", "Inconclusive"]).optional().describe("Verdict of the gate."),
  isolation: isolation.optional(),
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
      rule: "self.spec.arms.all(a, self.spec.arms.filter(b, b.name == a.name).size() == 1)",
      field: ".spec.arms",
      message: "every arm of spec.arms needs a name of its own",
    },
    {
      rule: "!has(self.spec.gate) || (self.spec.gate.candidate != self.spec.gate.baseline && self.spec.arms.exists(a, a.name == self.spec.gate.candidate) && self.spec.arms.exists(a, a.name == self.spec.gate.baseline))",
      field: ".spec.gate",
      message: "spec.gate must name two of spec.arms",
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
