import { z } from "zod";
import { longestBaseName } from "../fields/base-model.ts";
import { digest, text, whole } from "../fields/field.ts";
import { scope } from "../fields/scope.ts";

/** Media types of Rune's artifacts. */
export const mediaType = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  adapter: "application/vnd.rune.adapter.v1+json",
  adapterFile: "application/vnd.rune.adapter.file.v1",
  index: "application/vnd.oci.image.index.v1+json",
  adapters: "application/vnd.rune.adapters.v1+json",
  hypernetwork: "application/vnd.rune.hypernetwork.v1+json",
  hypernetworkFile: "application/vnd.rune.hypernetwork.file.v1",
  corpus: "application/vnd.rune.corpus.v1+json",
  model: "application/vnd.rune.model.v1+json",
  modelFile: "application/vnd.rune.model.file.v1",
  trajectory: "application/vnd.rune.trajectory.v1+json",
  taskSet: "application/vnd.rune.taskset.v1+json",
  evidence: "application/vnd.rune.evidence.v1+json",
  report: "application/vnd.rune.report.v1+json",
  reportFile: "application/vnd.rune.report.file.v1",
  empty: "application/vnd.oci.empty.v1+json",
} as const;

/** Annotation of a layer that is a file: its path in the directory that the artifact describes. */
export const titleAnnotation = "org.opencontainers.image.title";

/** Prefix of a manifest's annotations that hold the trainer's statistics, each as JSON under its name in `trainerResult`. */
export const trainingAnnotation = "dev.rune.training.";
/** Statistic of a generated adapter: `hypernetworkTraining`. */
export const hypernetworkStatistic = "hypernetwork";
/** Prefix of those that say what a corpus holds, as whole numbers. */
export const corpusAnnotation = "dev.rune.corpus.";

/** Files of an adapter's artifact that an engine loads, as PEFT names them. */
export const adapterFile = { config: "adapter_config.json", weights: "adapter_model.safetensors" } as const;

/** Config blob of an adapter artifact: what its Adapter's spec must agree with. No timestamps, so equal weights give equal digests. */
export const adapterConfig = z.object({
  schema: z.literal("rune.dev/adapter/v1"),
  base: z.object({ name: text(longestBaseName), digest: digest() }),
  rank: whole(1, 512),
  alpha: whole(1, 4096),
  targetModules: z.array(text(63)).min(1),
  scope,
  source: z.object({ kind: z.enum(["TrainingRun", "EnvironmentCheck", "Import"]), name: text(63).optional(), uid: text(64).optional() }),
  parents: z.array(z.object({ name: text(63), digest: digest() })),
  generation: whole(0, 1000000),
  control: z.literal(true).optional(),
  session: z
    .object({ namespace: text(63), name: text(63), uid: text(64) })
    .optional()
    .describe("Session that the adapter was generated from; unset if it was made from several."),
  canary: z
    .object({
      prompt: text(8192).describe("Prompt, already rendered with the chat template, to which adapter and base model answer differently."),
      maxTokens: whole(1, 64),
      adapterText: text(4096).describe("Greedy answer of the adapter to the prompt when it was made."),
      baseText: text(4096).describe("Greedy answer of the base model to the prompt when the adapter was made."),
    })
    .optional(),
  files: z.record(text(200), z.object({ sha256: z.string().length(64), sizeBytes: whole(0, Number.MAX_SAFE_INTEGER) })),
});
export type AdapterConfig = z.infer<typeof adapterConfig>;

/** File in adapter and hypernetwork artifacts that lists what was learnt from. */
export const learntFile = "corpus.json";

/**
 * The tasks that a model has seen, including those of its parents and of its hypernetwork, so that it isn't measured on
 * them. A task's `description` and `tests` are the first 16 hex digits of SHA-256 over the text, trimmed and with every
 * run of white space replaced by one space.
 */
export const learntFrom = z.object({
  schema: z.literal("rune.dev/learnt/v1"),
  trajectories: z.array(digest()).max(20000).describe("Sorted digests of the trajectories and corpora that were learnt from."),
  tasks: z
    .array(z.object({ id: text(100), description: z.string().length(16), tests: z.string().length(16) }))
    .max(100000)
    .describe("Tasks that were learnt from, sorted by description and then by tests, without duplicates."),
});
export type LearntFrom = z.infer<typeof learntFrom>;

/** `collapsed` of a hypernetwork whose training ended so, without a record of which alarm. */
export const unnamedAlarm = "an alarm ended the training";

/** How the training of an adapter's hypernetwork went: an adapter that was generated has no training of its own. */
export const hypernetworkTraining = z.object({
  digest: digest().describe("Manifest digest of the hypernetwork."),
  trainingLoss: z.number().optional(),
  metrics: z
    .record(text(63), z.number())
    .optional()
    .describe("Metrics of the last checkpoint, by their names in the result of the hypernetwork's run."),
  collapsed: text(2000).optional().describe("Alarm that ended the training as collapsed; such a hypernetwork generates only with `force`."),
});

/** File in adapter and hypernetwork artifacts that shows how the training went. */
export const trainingFile = "training.json";

const steps = whole(1, 1_000_000_000);
const curvePoints = 200;

/** A training step by step. An adapter that was generated has its hypernetwork's. No timestamps. */
export const trainingCurve = z.object({
  schema: z.literal("rune.dev/training/v1"),
  trained: z.enum(["Adapter", "Hypernetwork"]),
  loss: z
    .array(z.object({ step: steps, loss: z.number() }))
    .max(curvePoints)
    .describe("Training loss: each entry is the mean over the steps after the previous entry, up to and including `step`."),
  checkpoints: z
    .array(z.object({ step: steps, measured: z.record(text(63), z.number()) }))
    .max(curvePoints)
    .describe("Metrics that were measured after a step, by their names in `trainerResult`; evenly thinned, the last included."),
});
export type TrainingCurve = z.infer<typeof trainingCurve>;

/** Config blob of a hypernetwork artifact: what `generate` must check before using it. */
export const hypernetworkConfig = z.object({
  schema: z.literal("rune.dev/hypernetwork/v1"),
  base: z.object({ name: text(longestBaseName), digest: digest() }),
  rank: whole(1, 512).describe(
    "LoRA rank that is generated from one chunk. An adapter of n chunks has (n + 1) times this rank, the static part included.",
  ),
  targetModules: z.array(text(63)).min(1),
  chunkTokens: whole(16, 32768),
  maxChunks: whole(1, 63),
  source: z.object({ kind: z.enum(["TrainingRun", "Import"]), name: text(63).optional(), uid: text(64).optional() }),
  collapsed: z.boolean(),
  settings: z.unknown().describe("Section `hypernetwork` of the trainer's job that trained the hypernetwork."),
  files: z.record(text(200), z.object({ sha256: z.string().length(64), sizeBytes: whole(0, Number.MAX_SAFE_INTEGER) })),
});
export type HypernetworkConfig = z.infer<typeof hypernetworkConfig>;

/** Config blob of a model artifact; `digest` is the identity of design §2: SHA-256 over the sorted lines `<sha256>  <name>\n`. */
export const modelConfig = z.object({
  schema: z.literal("rune.dev/model/v1"),
  name: text(longestBaseName),
  digest: digest(),
  files: z.record(text(200), z.object({ sha256: z.string().length(64), sizeBytes: whole(0, Number.MAX_SAFE_INTEGER) })),
});
export type ModelConfig = z.infer<typeof modelConfig>;
