import { z } from "zod";
import { artifactReference } from "../fields/artifact-reference.ts";
import { longestBaseName } from "../fields/base-model.ts";
import { digest, repository, text, whole } from "../fields/field.ts";
import { scope } from "../fields/scope.ts";
import { control, generate, hypernetwork, merge, methodNames, mostAdapters, sft } from "../kinds/methods.ts";
import { mlflow, nats, owner, registry } from "./pod.ts";

/** Input of the trainer. `method` names the only section that is set. */
export const trainerJob = z.object({
  owner,
  attempt: whole(1, 1000),
  workers: whole(1, 16).optional().describe("Number of processes that divide the work, each on a GPU of its own; one when unset."),
  method: z.enum(methodNames),
  sft: sft.optional(),
  hypernetwork: hypernetwork.optional(),
  generate: generate.optional(),
  merge: merge.optional(),
  control: control.optional(),
  base: z.object({
    path: text(500).describe("Directory that holds the staged base model, read-only."),
    name: text(longestBaseName).describe("Name of the base model."),
    digest: digest().describe("Digest over the base model's files."),
  }),
  corpus: z
    .object({
      trajectories: z
        .array(
          artifactReference.extend({
            adapter: artifactReference
              .optional()
              .describe("Adapter that was fine-tuned from this trajectory alone; unset if there is none."),
          }),
        )
        .min(1)
        .max(10000)
        .describe("Artifacts to learn from, each a trajectory or a corpus of many."),
      include: z.array(z.enum(["Programs", "Notes", "Corrections"])).min(1),
      digest: digest(),
    })
    .optional(),
  adapters: z
    .array(artifactReference.extend({ name: text(63) }))
    .max(mostAdapters)
    .describe("Adapters that the method starts from, in the order of its section: those to merge, or the one to imitate or continue from."),
  generator: artifactReference.optional().describe("Hypernetwork that the method `generate` uses."),
  output: z.object({
    repository: repository(),
    scope: scope.optional().describe("Scope of the adapter. With `generate` for each session, each session's own scope when unset."),
    generation: whole(0, 1000000),
    parents: z.array(z.object({ name: text(63), digest: digest() })),
  }),
  checkpoint: z.object({ directory: text(200), everySteps: whole(1, 100000) }),
  registry,
  nats: nats.optional().describe("NATS server to publish progress to, with core NATS; none when unset."),
  mlflow,
});
export type TrainerJob = z.infer<typeof trainerJob>;

/** Termination message of the trainer (at most 4 KiB). `rank` and the fields after it are unset for an index. */
export const trainerResult = z.object({
  repository: text(200),
  digest: digest(),
  sizeBytes: whole(1, Number.MAX_SAFE_INTEGER),
  rank: whole(1, 512).optional(),
  alpha: whole(1, 4096).optional(),
  targetModules: z.array(text(63)).optional(),
  adapters: whole(1, 10000).optional().describe("Number of adapters, if the artifact is an index of several."),
  collapsed: text(500)
    .optional()
    .describe("Alarm that ended the training of a hypernetwork as collapsed, with its value; unset if none did."),
  metrics: z.record(text(63), z.number()).optional().describe("Metrics by their names in a TrainingRun's status."),
  weights: z.array(z.number()).optional().describe("Weights that the search found, in the order of the adapters."),
  examples: whole(0, 1e9),
  steps: whole(0, 1e9),
  trainingLoss: z.number(),
  deltaWNorm: z.number(),
  durationSeconds: z.number(),
  mlflowRunID: text(64).optional(),
});
export type TrainerResult = z.infer<typeof trainerResult>;

/** Core NATS message on `rune.progress.<uid>`. */
export const progress = z.object({
  percent: whole(0, 100),
  step: whole(0, 1e9).optional(),
  totalSteps: whole(0, 1e9).optional(),
  loss: z.number().optional(),
  remainingSeconds: z.number().optional(),
});
export type Progress = z.infer<typeof progress>;
export const progressPrefix = "rune.progress.";
export const progressSubject = (uid: string) => `${progressPrefix}${uid}`;
