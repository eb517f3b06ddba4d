import { z } from "zod";
import { task } from "./agent-session.ts";
import { artifactReference, costs, isolation, measuredTasks, scope } from "./common.ts";
import { checkResult } from "./environment-check.ts";
import { mostArmsTogether } from "./evaluation.ts";
import { digest, text, time, whole } from "./field.ts";

/** Media types of what Rune stores. */
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

/** Config blob of an adapter artifact: what its Adapter's spec must agree with. No timestamps, so equal weights give equal digests. */
export const adapterConfig = z.object({
  schema: z.literal("rune.dev/adapter/v1"),
  base: z.object({ name: text(200), digest: digest() }),
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
    .describe("The one session that it was generated from."),
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

/** File of an adapter's and of a hypernetwork's artifact that says what was learnt from. */
export const learntFile = "corpus.json";
/**
 * Which tasks a model of ours has seen, those of its parents and of its hypernetwork included, so that nobody measures it on them.
 * A task's `description` and `tests` are the first 16 hex digits of SHA-256 over the text with every run of white space made one space
 * and none at its ends.
 */
export const learntFrom = z.object({
  schema: z.literal("rune.dev/learnt/v1"),
  trajectories: z.array(digest()).max(20000).describe("Digests of trajectories and corpora, sorted."),
  tasks: z
    .array(z.object({ id: text(100), description: z.string().length(16), tests: z.string().length(16) }))
    .max(100000)
    .describe("Sorted by description, then by tests; none twice."),
});
export type LearntFrom = z.infer<typeof learntFrom>;

/** Config blob of a hypernetwork artifact: what `generate` needs to know before it takes it. */
export const hypernetworkConfig = z.object({
  schema: z.literal("rune.dev/hypernetwork/v1"),
  base: z.object({ name: text(200), digest: digest() }),
  rank: whole(1, 512).describe("Rank of one chunk's adapter; one of n chunks has (n + 1) times as much, the static part included."),
  targetModules: z.array(text(63)).min(1),
  chunkTokens: whole(16, 32768),
  maxChunks: whole(1, 63),
  source: z.object({ kind: z.enum(["TrainingRun", "Import"]), name: text(63).optional(), uid: text(64).optional() }),
  collapsed: z.boolean(),
  settings: z.unknown().describe("The section of the job that trained it."),
  files: z.record(text(200), z.object({ sha256: z.string().length(64), sizeBytes: whole(0, Number.MAX_SAFE_INTEGER) })),
});
export type HypernetworkConfig = z.infer<typeof hypernetworkConfig>;

const rate = z.object({ estimate: z.number(), lower: z.number(), upper: z.number() });
const evidenceHeader = {
  schema: z.literal("rune.dev/evidence/v1"),
  adapter: z.object({ name: text(63), digest: digest() }).describe("Whom it is about; the manifest's subject has the same digest."),
  by: z
    .object({ kind: z.enum(["Evaluation", "EvolutionGeneration", "Person"]), namespace: text(63), name: text(63), uid: text(64) })
    .describe("The object that decided. A person's decision has the Adapter's name and, as UID, a digest of namespace and words."),
  time: time().describe("When it was decided. An adapter is what its newest evidence of a kind says."),
};
/**
 * Config blob of a piece of evidence: a manifest without files whose subject is an adapter, in that adapter's repository. It is stored
 * once under the tag `<first 16 hex digits of the adapter's digest>.<kind, in lower case>.<UID>` and never changed. What an Adapter's
 * status says of fitness, tier, archive and championship is a fold of them.
 */
export const evidence = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("Evaluation"),
    ...evidenceHeader,
    passAt1: rate.describe("Of these weights alone."),
    taskSet: measuredTasks.optional(),
    base: rate.optional().describe("Pass@1 of the base on the same tasks, where an arm measured it alone."),
    gate: z
      .object({ verdict: z.enum(["Passed", "Failed", "Inconclusive"]), delta: rate.optional() })
      .optional()
      .describe("Where the adapter was the gate's candidate; the difference is in points."),
    report: artifactReference.optional(),
  }),
  z.object({
    kind: z.literal("Promotion"),
    ...evidenceHeader,
    tier: z.enum(["Task", "Domain", "ProjectRoot"]),
    scope: scope.describe("Of which it is the champion from now on."),
    over: z
      .array(z.object({ name: text(63), digest: digest() }))
      .max(8)
      .describe("Whom it beat: its best parent, and who was champion before."),
    delta: rate.describe("Points of Pass@1 above the best of those."),
  }),
  z.object({ kind: z.literal("Retirement"), ...evidenceHeader, scope, successor: z.object({ name: text(63), digest: digest() }) }),
  z.object({ kind: z.literal("Archival"), ...evidenceHeader, why: text(500) }),
  z.object({ kind: z.literal("Restoration"), ...evidenceHeader, why: text(500) }),
]);
export type Evidence = z.infer<typeof evidence>;

/** Config blob of a model artifact; `digest` is the identity of design §2: SHA-256 over the sorted lines `<sha256>  <name>\n`. */
export const modelConfig = z.object({
  schema: z.literal("rune.dev/model/v1"),
  name: text(200),
  digest: digest(),
  files: z.record(text(200), z.object({ sha256: z.string().length(64), sizeBytes: whole(0, Number.MAX_SAFE_INTEGER) })),
});
export type ModelConfig = z.infer<typeof modelConfig>;

/**
 * A task of a task set. Tasks that can't be told apart as new evidence, such as those of one function or project, share a `cluster`.
 * `scope`: whose knowledge the task asks for. What is measured on tasks of another scope says nothing to a session of this one.
 */
export const heldOutTask = task.extend({ cluster: text(100).min(1).optional(), scope: scope.optional() });
export type HeldOutTask = z.infer<typeof heldOutTask>;

/** Which piece of evidence a task belongs to. A task without a cluster is one of its own, together with its copies under other ids. */
export function clusterOf({ cluster, description, tests }: HeldOutTask): string {
  return cluster === undefined ? `task ${JSON.stringify([description, tests])}` : `cluster ${cluster}`;
}

/** The single layer of a task set artifact. */
export const taskSet = z.object({
  schema: z.literal("rune.dev/taskset/v1"),
  name: text(200),
  tasks: z
    .array(heldOutTask)
    .min(1)
    .max(100000)
    .superRefine((tasks, context) => {
      const seen = new Set<string>();
      for (const [index, { id }] of tasks.entries()) {
        if (seen.has(id)) context.addIssue({ code: "custom", path: [index, "id"], message: `two tasks are called ${id}` });
        seen.add(id);
      }
    }),
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
    seconds: z.number().nonnegative().optional().describe("How long the request took; logs of earlier versions don't say."),
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

/**
 * A line of `corpus.jsonl`, the single layer of a corpus artifact. `examples` are questions that the trajectory helps with, each with a
 * program that passes; without them a trajectory is asked what the sessions of its own scope were asked.
 */
export const corpusLine = z.object({
  trajectory,
  examples: z
    .array(z.object({ task, program: text(65536) }))
    .max(1000)
    .optional(),
});
export type CorpusLine = z.infer<typeof corpusLine>;

/** Termination message of the trainer (at most 4 KiB). `rank` and what follows it are unset for an index of several adapters. */
export const trainerResult = z.object({
  repository: text(200),
  digest: digest(),
  sizeBytes: whole(1, Number.MAX_SAFE_INTEGER),
  rank: whole(1, 512).optional(),
  alpha: whole(1, 4096).optional(),
  targetModules: z.array(text(63)).optional(),
  adapters: whole(1, 10000).optional().describe("Adapters of an index."),
  collapsed: text(500).optional().describe("Which alarm stopped the training of a hypernetwork, and at what value."),
  metrics: z.record(text(63), z.number()).optional().describe("Metrics by their names in a TrainingRun's status."),
  weights: z.array(z.number()).optional().describe("Weights that a search found."),
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

/** Termination message of the evaluator (at most 4 KiB): of the arms that it worked on; after the last, with the report. */
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
  /** why the verdict is what it is, and what to do where nothing was decided */
  why: text(300).optional(),
  report: z.object({ repository: text(200), digest: digest() }).optional(),
  mlflowRunID: text(64).optional(),
});
export type EvaluatorResult = z.infer<typeof evaluatorResult>;

/** Termination message of a node's Job of an EnvironmentCheck. */
export const environmentResult = z.object({
  checks: z.array(checkResult).max(3),
  versions: z.record(text(40), text(100)),
  adapter: z
    .object({
      ...artifactReference.shape,
      sizeBytes: whole(1, Number.MAX_SAFE_INTEGER),
      rank: whole(1, 512),
      alpha: whole(1, 4096),
      targetModules: z.array(text(63)).min(1),
      base: z.object({ name: text(200), digest: digest() }),
    })
    .optional()
    .describe("What the check QLoRA stored, where it was asked to."),
});
export type EnvironmentResult = z.infer<typeof environmentResult>;

/** Termination message of `rune_trainer.environment.ask`. */
export const askResult = z.object({ answers: z.array(text(800)).max(4).describe("In the order of the models.") });

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
