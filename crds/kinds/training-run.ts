import { z } from "zod";
import { artifactReference } from "../fields/artifact-reference.ts";
import { baseModel } from "../fields/base-model.ts";
import { statusBase } from "../fields/condition.ts";
import { byKey, digest, labels, objectName, text, time, whole } from "../fields/field.ts";
import { lifecycle } from "../fields/lifecycle.ts";
import { quantityAboveZero } from "../fields/quantity.ts";
import { requires } from "../fields/requires.ts";
import { resources, scheduling } from "../fields/scheduling.ts";
import { scope } from "../fields/scope.ts";
import { columns, defineKind, type ObjectOf } from "./kind.ts";
import {
  control,
  generate,
  hypernetwork,
  isOneHypernetwork,
  largestRank,
  learningMethods,
  merge,
  methodNames,
  mostAdapters,
  sft,
} from "./methods.ts";

/** Longest estimate of the time to a training's end: a year. */
export const longestRemainingSeconds = 31536000;

/** Sessions that one run can learn from: their trajectories are listed in its status. */
export const mostTrajectories = 500;

const spec = z.object({
  base: baseModel,
  sft: sft.optional(),
  hypernetwork: hypernetwork.optional(),
  generate: generate.optional(),
  merge: merge.optional(),
  control: control.optional(),
  corpus: z
    .object({
      sessions: z
        .object({ matchLabels: labels().describe("Labels that the AgentSessions must have.") })
        .optional()
        .describe(
          "Selection of AgentSessions by label. The run waits until none of them is still running, then freezes the digests of their trajectories.",
        ),
      sessionNames: z.array(objectName()).max(500).optional().describe("Names of the AgentSessions to learn from."),
      artifact: artifactReference
        .optional()
        .describe("Artifact in the registry to learn from: a trajectory, or a corpus of many trajectories."),
      artifacts: z
        .array(artifactReference)
        .min(1)
        .max(mostTrajectories)
        .meta(byKey("repository", "digest"))
        .optional()
        .describe("Several artifacts in the registry to learn from together, each a trajectory or a corpus."),
      include: z
        .array(z.enum(["Programs", "Notes", "Corrections"]))
        .min(1)
        .max(3)
        .default(["Programs"])
        .describe("Parts of a session that become training text: Programs that passed, Notes, and Corrections of failed attempts."),
      minimumSessions: whole(1, 500).default(1).describe("Minimum number of solved sessions; with fewer the run is stalled."),
    })
    .optional()
    .describe(
      "What `sft`, `hypernetwork` and `generate` learn from; unset with `merge` and `control`. Exactly one of `sessions`, `sessionNames`, `artifact` and `artifacts`.",
    ),
  output: z
    .object({
      scope: scope
        .optional()
        .describe("Scope of the adapter; when unset, the scope that the sessions or the merged adapters have in common."),
    })
    .default({})
    .describe("Properties of the adapter that the run makes."),
  retries: z
    .object({
      failures: whole(0, 20)
        .default(2)
        .describe(
          "Maximum number of retries after failures. Attempts that found the registry or the hub unavailable (exit code 75) don't count; they are retried with growing pauses until `deadlineSeconds`.",
        ),
      disruptions: whole(0, 100).default(10).describe("Maximum number of retries after disruptions, such as a drained node."),
    })
    .default({ failures: 2, disruptions: 10 })
    .describe("Limits on retries, for failures and for disruptions."),
  deadlineSeconds: whole(60, 2592000)
    .default(86400)
    .describe("Maximum duration from the first start to the end in seconds, over all attempts, including time in a queue."),
  checkpoint: z
    .object({
      everySteps: whole(1, 100000).default(20).describe("Number of optimizer steps between checkpoints."),
      size: quantityAboveZero().default("2Gi").describe("Size of the volume for checkpoints."),
      storageClassName: text(253).optional().describe("StorageClass of the volume for checkpoints."),
    })
    .default({ everySteps: 20, size: "2Gi" })
    .describe("Checkpoints, from which later attempts resume."),
  image: text(500).optional().describe("Trainer image; the installation's image when unset."),
  resources: resources.default({}),
  queueName: text(253).optional().describe("Kueue LocalQueue that admits the Jobs."),
  ...scheduling,
  requires,
  ...lifecycle,
});

/** Limit of attempts, because status records no more. */
export const mostAttempts = 128;

export const attempt = z.object({
  number: whole(1, 1000).describe("Number of the attempt, starting at 1."),
  job: objectName().describe("Name of the attempt's Job."),
  result: z
    .enum(["Running", "Succeeded", "Failed", "Disrupted", "Refused"])
    .describe("Result of the attempt; Refused is a permanent error that is not retried."),
  reason: text(63).optional().describe("Reason why the attempt ended, as a CamelCase word."),
  message: text(1024).optional().describe("Human-readable explanation of why the attempt ended, with what to change."),
  exitCode: whole(0, 255).optional().describe("Exit code of the trainer."),
  startTime: time().optional().describe("Time at which the attempt's pod started."),
  endTime: time().optional().describe("Time at which the attempt ended."),
});

const metric = (what: string) => text(20).optional().describe(`${what}, as a decimal string.`);

/** How varied a corpus is, as its trainer counted. */
export const varietyOfCorpus = z.object({
  distinctTasks: whole(0, 10000000).optional().describe("Number of distinct tasks among the solved trajectories."),
  failureModes: whole(0, 10000000)
    .optional()
    .describe(
      "Number of distinct error classes of the failed programs in the solved trajectories; an error without a class counts by its outcome.",
    ),
  corrections: whole(0, 10000000)
    .optional()
    .describe(
      "Number of distinct corrections, which turned the last failed program of a trajectory into the first that passed, by the words that they replace.",
    ),
});

/** A method's metrics of its corpus and of its own result. */
export const trainingMetrics = z
  .object({
    ...varietyOfCorpus.shape,
    droppedPercent: metric("Percentage of the examples that were left out, because they are longer than `maxLength`"),
    cosineDiversity: metric("1 − mean cosine similarity of the adapters generated from held-out trajectories, without the static part"),
    varianceRatio: metric("Share of the generated adapters' squared norm that isn't in their mean"),
    effectiveRank: metric("Effective rank of the centred generated adapters: the exponential of the entropy of their singular values"),
    behaviourDistance: metric("Mean Jensen-Shannon distance between the generated adapters' answers to the same questions, in bits"),
    rightMinusWrong: metric(
      "Loss with another trajectory's adapter minus loss with the right one, in nats per token, on held-out trajectories",
    ),
    rightMinusMean: metric("Loss with the mean adapter minus loss with the right one, in nats per token, on held-out trajectories"),
    relativeNorm: metric("Largest norm of a layer's weight change, relative to the norm of the layer's weights"),
    retainedEnergy: metric("Share of the merged weight change's squared norm that is retained at the result's rank"),
    relativeErrorToExactSum: metric("Norm of the result's difference to the exact weighted sum, relative to that sum"),
    weights: text(400).optional().describe("Weights that the search found, in the order of the adapters."),
  })
  .describe("Metrics of the corpus and of the result; which ones are set depends on the method.");

const status = z.object({
  ...statusBase,
  method: z.enum(methodNames).optional().describe("Method of the run: the section that is set in spec."),
  baseDigest: digest().optional().describe("Digest over the base model's files."),
  corpus: z
    .object({
      digest: digest().describe("SHA-256 over the sorted digests of the trajectories, which identifies the corpus."),
      count: whole(0, 10000)
        .optional()
        .describe("Number of sessions in the corpus; unset if an artifact holds them and doesn't say how many."),
      solved: whole(0, 10000).optional().describe("Number of sessions in the corpus that ended solved; unset if they weren't counted."),
      tasks: whole(0, 10000)
        .optional()
        .describe("Number of distinct tasks among the solved sessions, by description and tests; unset if they weren't counted."),
      trajectories: z
        .array(
          artifactReference.extend({
            adapter: artifactReference
              .optional()
              .describe("Adapter that was fine-tuned from this trajectory alone; only set for the training of a hypernetwork."),
          }),
        )
        .max(mostTrajectories)
        .describe("Artifacts of the sealed trajectories, or artifacts that hold several trajectories."),
      scope: scope.optional().describe("Scope that the sessions have in common; the adapter gets it if `spec.output.scope` is unset."),
    })
    .optional()
    .describe("Corpus to learn from, frozen by digest."),
  inputs: z
    .object({
      adapters: z
        .array(
          z.object({
            name: objectName().describe("Name of the Adapter."),
            ...artifactReference.shape,
            rank: whole(1, 512).describe("LoRA rank of the Adapter."),
            generation: whole(0, 1000000).describe("Generation of the Adapter (`spec.generation`)."),
          }),
        )
        .max(mostAdapters)
        .optional()
        .describe("Adapters that are merged, imitated or continued from, in the order of the spec."),
      hypernetwork: artifactReference
        .extend({
          rank: whole(1, 512).describe("LoRA rank that the hypernetwork generates from one chunk."),
          collapsed: z.boolean().describe("Whether the training of the hypernetwork ended as collapsed."),
        })
        .optional()
        .describe("Hypernetwork that generates the adapters."),
      scope: scope.optional().describe("Scope that the input adapters have in common; the result gets it if `spec.output.scope` is unset."),
    })
    .optional()
    .describe("Inputs of the method other than the corpus, frozen by digest."),
  attempts: z.array(attempt).max(mostAttempts).meta(byKey("number")).optional().describe("All attempts, oldest first."),
  progress: z
    .object({
      percent: whole(0, 100).describe("Progress of the running attempt, in percent."),
      step: whole(0, 1000000000).optional().describe("Number of optimizer steps that are done."),
      totalSteps: whole(0, 1000000000).optional().describe("Total number of optimizer steps."),
      loss: text(20).optional().describe("Training loss of the last steps, as a decimal string."),
      remainingSeconds: whole(0, longestRemainingSeconds).optional().describe("Estimated time to the end, in seconds."),
    })
    .optional()
    .describe("Progress of the running attempt, as last reported by the trainer."),
  result: z
    .object({
      ...artifactReference.shape,
      sizeBytes: whole(1, Number.MAX_SAFE_INTEGER).describe("Total size of the artifact's layers, in bytes."),
      examples: whole(0, 10000000).optional().describe("Number of training examples."),
      steps: whole(0, 1000000000).optional().describe("Number of optimizer steps that were taken."),
      adapters: whole(0, 10000).optional().describe("Number of adapters in the artifact, if it is an index of several."),
      metrics: trainingMetrics.optional(),
      collapsed: text(500)
        .optional()
        .describe("Alarm that ended the training of a hypernetwork as collapsed, with its value; unset if none did."),
      trainingLoss: text(20).optional().describe("Mean training loss over the last tenth of the steps, as a decimal string."),
      deltaWNorm: text(20).optional().describe("Frobenius norm of the adapter's weight change, as a decimal string."),
      durationSeconds: whole(0, 31536000).optional().describe("Training time of the last attempt, in seconds."),
    })
    .optional()
    .describe("Artifact that the run made, recorded here before any Adapter is created."),
  adapter: objectName().optional().describe("Name of the Adapter that was created, if the run makes a single one."),
  adapters: z
    .object({
      created: whole(0, 10000).describe("Number of Adapters that exist already."),
      total: whole(0, 10000).describe("Number of Adapters that the run makes in all. They have the label `rune.dev/run`."),
    })
    .optional()
    .describe("Number of Adapters, for a run that makes one for each session."),
  mlflowRunID: text(64).optional().describe("ID of the run in the experiment tracker, MLflow."),
});

export const trainingRun = defineKind({
  kind: "TrainingRun",
  plural: "trainingruns",
  singular: "trainingrun",
  shortNames: ["rtr"],
  description: "One training, generation or merge: it freezes its inputs, publishes one artifact, and creates the Adapters that are in it.",
  nameMaxLength: 45,
  spec,
  status,
  mutable: ["suspend", "ttlSecondsAfterFinished"],
  frozenBecause: "a TrainingRun is one training of frozen inputs; create a new object instead",
  rules: [
    {
      rule: `[${methodNames.map((name) => `has(self.spec.${name})`).join(", ")}].filter(x, x).size() == 1`,
      field: ".spec",
      message: `spec needs exactly one method: ${methodNames.join(", ")}`,
    },
    {
      rule: `has(self.spec.corpus) == (${learningMethods.map((name) => `has(self.spec.${name})`).join(" || ")})`,
      field: ".spec.corpus",
      message: "sft, hypernetwork and generate need spec.corpus; merge and control take none",
    },
    {
      rule: `!has(self.spec.generate) || ${isOneHypernetwork("self.spec.generate.hypernetwork")}`,
      field: ".spec.generate.hypernetwork",
      message: "spec.generate.hypernetwork needs either run, or repository and digest",
    },
    {
      rule: "!has(self.spec.merge) || has(self.spec.merge.normOf) || self.spec.merge.adapters.size() > 1",
      field: ".spec.merge.adapters",
      message: "spec.merge.adapters needs two adapters at least; one alone is for normOf, which scales it",
    },
    {
      rule: "!has(self.spec.merge) || !has(self.spec.merge.normOf) || !has(self.spec.merge.search)",
      field: ".spec.merge.normOf",
      message: "spec.merge.normOf fixes the strength that search would look for; name one of the two",
    },
    {
      rule: "!has(self.spec.merge) || self.spec.merge.adapters.all(a, self.spec.merge.adapters.filter(b, b == a).size() == 1)",
      field: ".spec.merge.adapters",
      message: "spec.merge.adapters names an adapter twice; give it a larger weight instead",
    },
    {
      rule: "!has(self.spec.merge) || !has(self.spec.merge.weights) || (!has(self.spec.merge.search) && self.spec.merge.weights.size() == self.spec.merge.adapters.size())",
      field: ".spec.merge.weights",
      message: "spec.merge.weights needs one weight for each adapter, and none with search",
    },
    {
      rule: "!has(self.spec.hypernetwork) || self.spec.hypernetwork.width % self.spec.hypernetwork.heads == 0",
      field: ".spec.hypernetwork.heads",
      message: "spec.hypernetwork.heads must divide spec.hypernetwork.width",
    },
    {
      rule: `!has(self.spec.hypernetwork) || self.spec.hypernetwork.rank * (self.spec.hypernetwork.maxChunks + 1) <= ${largestRank}`,
      field: ".spec.hypernetwork.rank",
      message: `spec.hypernetwork.rank times one more than maxChunks exceeds ${largestRank}, the largest rank of an adapter; lower one of them`,
    },
    {
      rule: "[has(self.spec.base.huggingFace), has(self.spec.base.oci), has(self.spec.base.pvc)].filter(x, x).size() == 1",
      field: ".spec.base",
      message: "spec.base needs exactly one of huggingFace, oci and pvc",
    },
    {
      rule: "!has(self.spec.corpus) || [has(self.spec.corpus.sessions), has(self.spec.corpus.sessionNames), has(self.spec.corpus.artifact), has(self.spec.corpus.artifacts)].filter(x, x).size() == 1",
      field: ".spec.corpus",
      message: "spec.corpus needs exactly one of sessions, sessionNames, artifact and artifacts",
    },
  ],
  columns: columns(
    { name: "Method", type: "string", jsonPath: ".status.method", description: "Method of the run." },
    { name: "Progress", type: "integer", jsonPath: ".status.progress.percent", description: "Progress of the running attempt in percent." },
    { name: "Loss", type: "string", jsonPath: ".status.progress.loss", description: "Training loss of the last steps." },
    { name: "Sessions", type: "integer", jsonPath: ".status.corpus.count", description: "Number of sessions in the corpus." },
    { name: "Adapter", type: "string", jsonPath: ".status.adapter", description: "Name of the Adapter that was created." },
    {
      name: "Adapters",
      type: "integer",
      jsonPath: ".status.adapters.created",
      description: "Number of Adapters that exist, for a run that makes several.",
      priority: 1,
    },
  ),
});
export type TrainingRun = ObjectOf<typeof trainingRun>;
