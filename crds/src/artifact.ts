import { z } from "zod";
import { task } from "./agent-session.ts";
import { isolation, scope } from "./common.ts";
import { digest, text, whole } from "./field.ts";

/** Media types of what Rune stores. */
export const mediaType = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  adapter: "application/vnd.rune.adapter.v1+json",
  adapterFile: "application/vnd.rune.adapter.file.v1",
  model: "application/vnd.rune.model.v1+json",
  modelFile: "application/vnd.rune.model.file.v1",
  trajectory: "application/vnd.rune.trajectory.v1+json",
  taskSet: "application/vnd.rune.taskset.v1+json",
  report: "application/vnd.rune.report.v1+json",
  reportFile: "application/vnd.rune.report.file.v1",
  empty: "application/vnd.oci.empty.v1+json",
} as const;

/** Annotation of a layer that is a file: its path in the directory that the artifact describes. */
export const titleAnnotation = "org.opencontainers.image.title";

/** Config blob of an adapter artifact: what its Adapter's spec must agree with. No timestamps, so equal weights give equal digests. */
export const adapterConfig = z.object({
  schema: z.literal("rune.dev/adapter/v1"),
  base: z.object({ name: text(200), digest: digest() }),
  rank: whole(1, 512),
  alpha: whole(1, 4096),
  targetModules: z.array(text(63)).min(1),
  scope,
  source: z.object({ kind: z.enum(["TrainingRun", "Import"]), name: text(63).optional(), uid: text(64).optional() }),
  parents: z.array(z.object({ name: text(63), digest: digest() })),
  generation: whole(0, 1000000),
  canary: z
    .object({
      prompt: text(8192).describe("Prompt, already rendered with the chat template, on which adapter and base differ."),
      maxTokens: whole(1, 64),
      adapterText: text(4096).describe("What the adapter answered greedily when it was made."),
      baseText: text(4096).describe("What the base answered greedily when the adapter was made."),
    })
    .optional(),
  files: z.record(text(200), z.object({ sha256: z.string().length(64), sizeBytes: whole(0, Number.MAX_SAFE_INTEGER) })),
});
export type AdapterConfig = z.infer<typeof adapterConfig>;

/** Config blob of a model artifact; `digest` is the identity of design §2: SHA-256 over the sorted lines `<sha256>  <name>\n`. */
export const modelConfig = z.object({
  schema: z.literal("rune.dev/model/v1"),
  name: text(200),
  digest: digest(),
  files: z.record(text(200), z.object({ sha256: z.string().length(64), sizeBytes: whole(0, Number.MAX_SAFE_INTEGER) })),
});
export type ModelConfig = z.infer<typeof modelConfig>;

/** A task of a task set. Tasks that can't be told apart as new evidence, such as those of one function or project, share a `cluster`. */
export const heldOutTask = task.extend({ cluster: text(100).min(1).optional() });
export type HeldOutTask = z.infer<typeof heldOutTask>;
/** The single layer of a task set artifact. */
export const taskSet = z.object({
  schema: z.literal("rune.dev/taskset/v1"),
  name: text(200),
  tasks: z.array(heldOutTask).min(1).max(100000),
});
export type TaskSet = z.infer<typeof taskSet>;

/** What one execution in the sandbox answered. `TestsUnusable` says nothing of the program: its tests can't run, or can't be judged there. */
export const execution = z.object({
  passed: z.boolean(),
  outcome: z.enum(["Passed", "Failed", "Error", "Timeout", "OutOfMemory", "OutputLimit", "NoTests", "TestsUnusable"]),
  error: text(4000),
  durationSeconds: z.number(),
});
export type Execution = z.infer<typeof execution>;

const header = { n: whole(0, 1000000).describe("Number of the step."), epoch: whole(1, 1000000), time: z.iso.datetime() };
/** One record of the live log. Every effect has an intent before it and a result, or `lost`, after it. */
export const logRecord = z.discriminatedUnion("type", [
  z.object({ type: z.literal("isolation"), ...header, isolation }),
  z.object({
    type: z.literal("intent"),
    ...header,
    effect: z.enum(["generate", "execute"]),
    inputDigest: digest(),
    round: whole(0, 1000),
    input: z.unknown(),
  }),
  z.object({
    type: z.literal("generated"),
    ...header,
    programs: z.array(text(65536)).max(64),
    promptTokens: whole(0, 1e9),
    completionTokens: whole(0, 1e9),
  }),
  z.object({ type: z.literal("executed"), ...header, program: text(65536), execution }),
  z.object({
    type: z.literal("judged"),
    ...header,
    taskId: text(100),
    arm: text(30),
    samples: z.array(z.object({ program: text(65536), execution })).max(100),
  }),
  z.object({ type: z.literal("reflected"), ...header, round: whole(0, 1000), notes: z.array(text(2000)).max(100) }),
  z.object({ type: z.literal("lost"), ...header, message: text(2000) }),
  z.object({
    type: z.literal("ended"),
    ...header,
    outcome: z.enum(["Solved", "Exhausted", "DeadlineExceeded", "Aborted"]),
    message: text(2000),
  }),
]);
export type LogRecord = z.infer<typeof logRecord>;

/** The single layer of a trajectory artifact: the log as it was, with what it belongs to. */
export const trajectory = z.object({
  schema: z.literal("rune.dev/trajectory/v1"),
  session: z.object({ namespace: text(63), name: text(63), uid: text(64) }),
  task,
  scope,
  adapter: z.object({ name: text(63), digest: digest() }).optional(),
  outcome: z.enum(["Solved", "Exhausted", "DeadlineExceeded", "Aborted"]),
  records: z.array(logRecord),
});
export type Trajectory = z.infer<typeof trajectory>;

/** Termination message of the trainer (at most 4 KiB). */
export const trainerResult = z.object({
  repository: text(200),
  digest: digest(),
  sizeBytes: whole(1, Number.MAX_SAFE_INTEGER),
  rank: whole(1, 512),
  alpha: whole(1, 4096),
  targetModules: z.array(text(63)),
  examples: whole(0, 1e9),
  steps: whole(0, 1e9),
  trainingLoss: z.number(),
  deltaWNorm: z.number(),
  durationSeconds: z.number(),
  mlflowRunID: text(64).optional(),
});
export type TrainerResult = z.infer<typeof trainerResult>;

/** Termination message of the agent. The log is the truth; this only hastens its reading. */
export const agentResult = z.object({
  outcome: z.enum(["Solved", "Exhausted", "DeadlineExceeded", "Aborted"]),
  lastSequence: whole(0, Number.MAX_SAFE_INTEGER),
});

const rate = z.object({ estimate: z.number(), lower: z.number(), upper: z.number() });
/** Termination message of the evaluator: of one arm, or, after the last arm, with the report. */
export const evaluatorResult = z.object({
  arm: text(30),
  passAt1: rate,
  completed: whole(0, 1e9),
  delta: rate.optional(),
  verdict: z.enum(["Passed", "Failed", "Inconclusive"]).optional(),
  report: z.object({ repository: text(200), digest: digest() }).optional(),
  mlflowRunID: text(64).optional(),
});
export type EvaluatorResult = z.infer<typeof evaluatorResult>;

/** Every failure that a program of ours knows the reason of ends in this termination message. */
export const failure = z.object({ failure: z.object({ reason: text(63), message: text(2000) }) });

/** Core NATS message on `rune.progress.<uid>`. */
export const progress = z.object({
  percent: whole(0, 100),
  step: whole(0, 1e9).optional(),
  totalSteps: whole(0, 1e9).optional(),
  loss: z.number().optional(),
  remainingSeconds: z.number().optional(),
});
export type Progress = z.infer<typeof progress>;

export const logStream = "RUNE_LOGS";
export const sessionSubject = (uid: string) => `rune.session.${uid}`;
export const evaluationSubject = (uid: string) => `rune.evaluation.${uid}`;
export const progressSubject = (uid: string) => `rune.progress.${uid}`;
