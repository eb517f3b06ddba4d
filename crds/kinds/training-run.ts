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
import { control, generate, hypernetwork, isOneHypernetwork, largestRank, learningMethods, merge, methodNames, sft } from "./methods.ts";

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
        .object({ matchLabels: labels().describe("Labels that an AgentSession must carry.") })
        .optional()
        .describe("Learns from every matching session. The run waits until none of them is still running, then freezes their digests."),
      sessionNames: z.array(objectName()).max(500).optional().describe("Learns from these sessions."),
      artifact: artifactReference
        .optional()
        .describe("Learns from what already is in the registry: a trajectory, or a corpus of many trajectories."),
      artifacts: z
        .array(artifactReference)
        .min(1)
        .max(mostTrajectories)
        .meta(byKey("repository", "digest"))
        .optional()
        .describe("Learns from several of these together."),
      include: z
        .array(z.enum(["Programs", "Notes", "Corrections"]))
        .min(1)
        .max(3)
        .default(["Programs"])
        .describe("What of a session becomes training text: its passing programs, its notes, its failed attempts with their corrections."),
      minimumSessions: whole(1, 500)
        .default(1)
        .describe("Fewest solved sessions; with fewer the run is stalled rather than trained on too little."),
    })
    .optional()
    .describe(
      "What sft, hypernetwork and generate learn from; unset with merge and control. Exactly one of sessions, sessionNames, artifact and artifacts.",
    ),
  output: z
    .object({ scope: scope.optional().describe("Scope of the adapter; the sessions' common scope when unset.") })
    .default({})
    .describe("What becomes of the result."),
  retries: z
    .object({
      failures: whole(0, 20)
        .default(2)
        .describe(
          "Attempts after the first that may follow a failure. Attempts that found the registry or the hub away (exit code 75) don't count; they are tried again with growing pauses until deadlineSeconds.",
        ),
      disruptions: whole(0, 100).default(10).describe("Attempts after the first that may follow a disruption, such as a drained node."),
    })
    .default({ failures: 2, disruptions: 10 })
    .describe("How often the work is tried again."),
  deadlineSeconds: whole(60, 2592000)
    .default(86400)
    .describe("Longest time from first start to end, over all attempts; waiting in a queue counts."),
  checkpoint: z
    .object({
      everySteps: whole(1, 100000).default(20).describe("Optimizer steps between checkpoints."),
      size: quantityAboveZero().default("2Gi").describe("Size of the volume that holds checkpoints."),
      storageClassName: text(253).optional().describe("StorageClass of that volume."),
    })
    .default({ everySteps: 20, size: "2Gi" })
    .describe("Checkpoints, from which a later attempt goes on."),
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
  number: whole(1, 1000).describe("Number of the attempt, from 1."),
  job: objectName().describe("Name of its Job."),
  result: z
    .enum(["Running", "Succeeded", "Failed", "Disrupted", "Refused"])
    .describe("How it went; Refused is a permanent error that is not retried."),
  reason: text(63).optional().describe("One word on why it ended."),
  message: text(1024).optional().describe("The same in a sentence, with what to change."),
  exitCode: whole(0, 255).optional().describe("Exit code of the trainer."),
  startTime: time().optional().describe("When its pod started."),
  endTime: time().optional().describe("When it ended."),
});

/** Adapters that one run can start from. */
const mostAdapters = 16;

const metric = (what: string) => text(20).optional().describe(`${what}, a decimal.`);

/** How varied a corpus is, as its trainer counted. */
export const varietyOfCorpus = z.object({
  distinctTasks: whole(0, 10000000).optional().describe("Distinct tasks of the solved trajectories."),
  failureModes: whole(0, 10000000)
    .optional()
    .describe(
      "Distinct classes of errors of the programs that failed in the solved trajectories; of an error without a class, its outcome.",
    ),
  corrections: whole(0, 10000000)
    .optional()
    .describe("Distinct changes that turned the last program that failed into the first that passed, by the words that they replace."),
});

/** A method's metrics of its corpus and of its own result. */
export const trainingMetrics = z
  .object({
    ...varietyOfCorpus.shape,
    droppedPercent: metric("Share of the examples that were too long to be learnt"),
    cosineDiversity: metric("1 − mean cosine between the adapters of held-out trajectories, without the static part"),
    varianceRatio: metric("Share of the adapters' squared norm that is not their mean"),
    effectiveRank: metric("Exponential of the entropy of the centred adapters' singular values"),
    behaviourDistance: metric("Mean Jensen-Shannon distance between the adapters' answers to the same questions, in bits"),
    rightMinusWrong: metric(
      "Loss with another trajectory's adapter minus loss with the right one, in nats per token, on held-out trajectories",
    ),
    rightMinusMean: metric("Loss with the mean adapter minus loss with the right one, in nats per token, on held-out trajectories"),
    relativeNorm: metric("Largest norm of a layer's change, relative to the layer's weights"),
    retainedEnergy: metric("Share of the merged change's squared norm that its rank holds"),
    relativeErrorToExactSum: metric("Norm of the difference to the exact weighted sum, relative to that sum"),
    weights: text(400).optional().describe("Weights that a search found, in the order of the adapters."),
  })
  .describe("What the method measured on its corpus and on its own result.");

const status = z.object({
  ...statusBase,
  method: z.enum(methodNames).optional().describe("The method of spec."),
  baseDigest: digest().optional().describe("Identity of the base model's files."),
  corpus: z
    .object({
      digest: digest().describe("SHA-256 over the sorted trajectory digests: what exactly was learnt from."),
      count: whole(0, 10000).optional().describe("Sessions in the corpus; unset where an artifact holds them and doesn't say how many."),
      solved: whole(0, 10000).optional().describe("Sessions in the corpus that ended solved; unset where nobody has counted them."),
      tasks: whole(0, 10000)
        .optional()
        .describe("Distinct tasks of the solved sessions: those of equal description and tests are one. Unset where nobody has counted."),
      trajectories: z
        .array(
          artifactReference.extend({
            adapter: artifactReference
              .optional()
              .describe("For a hypernetwork: the adapter that was fine-tuned from this trajectory alone."),
          }),
        )
        .max(mostTrajectories)
        .describe("The sealed trajectories, or the artifacts that hold them."),
      scope: scope.optional().describe("What the sessions' scopes have in common: the adapter's scope where spec.output.scope is unset."),
    })
    .optional()
    .describe("The frozen corpus."),
  inputs: z
    .object({
      adapters: z
        .array(
          z.object({
            name: objectName().describe("Name of the Adapter."),
            ...artifactReference.shape,
            rank: whole(1, 512).describe("Its rank."),
            generation: whole(0, 1000000).describe("Its generation."),
          }),
        )
        .max(mostAdapters)
        .optional()
        .describe("Adapters that are merged, imitated or gone on from, in the order of the spec."),
      hypernetwork: artifactReference
        .extend({
          rank: whole(1, 512).describe("Rank of the adapter that it makes of one chunk."),
          collapsed: z.boolean().describe("Whether its training ended as collapsed."),
        })
        .optional()
        .describe("The hypernetwork that generates."),
      scope: scope.optional().describe("What the adapters' scopes have in common: the result's scope where spec.output.scope is unset."),
    })
    .optional()
    .describe("What the method starts from beside the corpus, frozen by digest."),
  attempts: z.array(attempt).max(mostAttempts).meta(byKey("number")).optional().describe("Every attempt, oldest first."),
  progress: z
    .object({
      percent: whole(0, 100).describe("How far the running attempt is."),
      step: whole(0, 1000000000).optional().describe("Optimizer steps done."),
      totalSteps: whole(0, 1000000000).optional().describe("Optimizer steps in all."),
      loss: text(20).optional().describe("Training loss of the last steps, a decimal."),
      remainingSeconds: whole(0, 31536000).optional().describe("Estimated time to the end."),
    })
    .optional()
    .describe("Progress of the running attempt; reporting never fails a run."),
  result: z
    .object({
      ...artifactReference.shape,
      sizeBytes: whole(1, Number.MAX_SAFE_INTEGER).describe("Size of all layers in bytes."),
      examples: whole(0, 10000000).optional().describe("Training examples."),
      steps: whole(0, 1000000000).optional().describe("Optimizer steps."),
      adapters: whole(0, 10000).optional().describe("Adapters that it holds, where it is an index of several."),
      metrics: trainingMetrics.optional(),
      collapsed: text(500).optional().describe("Which alarm ended the training of a hypernetwork, and at what value."),
      trainingLoss: text(20).optional().describe("Mean loss of the last tenth of the steps, a decimal."),
      deltaWNorm: text(20).optional().describe("Frobenius norm of the change of the weights, a decimal."),
      durationSeconds: whole(0, 31536000).optional().describe("Training time of the last attempt."),
    })
    .optional()
    .describe("The one artifact; frozen here before any Adapter is created."),
  adapter: objectName().optional().describe("The Adapter that was created, where it is one alone."),
  adapters: z
    .object({
      created: whole(0, 10000).describe("Adapters that exist."),
      total: whole(0, 10000).describe("Adapters in all. The label `rune.dev/run` finds them."),
    })
    .optional()
    .describe("Adapters of a run that makes one for each session."),
  mlflowRunID: text(64).optional().describe("Run in the experiment tracker."),
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
    { name: "Method", type: "string", jsonPath: ".status.method", description: "What it does." },
    { name: "Progress", type: "integer", jsonPath: ".status.progress.percent", description: "Percent of the running attempt." },
    { name: "Loss", type: "string", jsonPath: ".status.progress.loss", description: "Training loss." },
    { name: "Sessions", type: "integer", jsonPath: ".status.corpus.count", description: "Sessions in the corpus." },
    { name: "Adapter", type: "string", jsonPath: ".status.adapter", description: "The Adapter that was created." },
    {
      name: "Adapters",
      type: "integer",
      jsonPath: ".status.adapters.created",
      description: "Adapters of a run that makes several.",
      priority: 1,
    },
  ),
});
export type TrainingRun = ObjectOf<typeof trainingRun>;
