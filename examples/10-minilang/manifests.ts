import type { ArtifactReference } from "@rune/crds/fields/artifact-reference";
import type { BaseModel } from "@rune/crds/fields/base-model";
import { apiVersion } from "@rune/crds/words/group";
import { type Manifest, ofRun } from "../shared/manifests.ts";
import type { Options } from "./options.ts";
import { library, type World } from "./world.ts";

const server = "lab";
const serverRef = { name: server };
/** Marks a namespace that the laboratory created, and so may empty. */
export const ownNamespace = { "app.kubernetes.io/managed-by": "rune-minilang" };

/** TrainingRuns, by their results. */
export const runs = {
  hypernetwork: "verbs",
  shuffledHypernetwork: "verbs-shuffled",
  generated: "met",
  generatedShuffled: "met-shuffled",
  first: "half-first",
  second: "half-second",
  mean: "met-mean",
  noise: "met-noise",
  both: "both",
  bothMean: "both-mean",
} as const;
/** Evaluations. */
export const evaluations = { memory: "memory", shuffled: "memory-shuffled", merge: "both-halves" } as const;
/** Generated adapters in the mean: a merge accepts no more. */
export const inMean = 16;
const rank = 8;
/** Rank of the exact mean: an adapter of one session has the rank of its generated part plus the static part. */
const widestRank = 256;

/** A program is a few operations; it ends at the end of the model's turn. */
export const answering = { temperature: "0.8", topP: "1", maxTokens: 6, stop: ["```"] };
export const sandbox = { libraryConfigMap: library, timeoutSeconds: 5, cpu: "700m" };

export function libraryManifest(namespace: string, source: string): Manifest {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name: library, namespace }, data: { "pipe.py": source } };
}

export function serverManifest({ namespace, heldOutProjects }: Options, base: BaseModel): Manifest {
  const spec = {
    base,
    pipelineParallelSize: 2,
    maxModelLength: 1024,
    maxSequences: 64,
    // Each project's, the mean and noise: then one evaluator measures all arms, with a slot to spare.
    adapters: { slots: heldOutProjects + 3, maxRank: widestRank },
    resources: { cpu: "200m" },
  };
  return { apiVersion, kind: "ModelServer", metadata: { name: server, namespace }, spec };
}

function trainingRun({ namespace }: Options, name: string, base: BaseModel, method: object): Manifest {
  const resources = { cpu: "200m", memory: "4Gi" };
  return { apiVersion, kind: "TrainingRun", metadata: { name, namespace }, spec: { base, ...method, resources } };
}

/** Both are trained alike; only in the first do the questions belong to the session beside them. */
export function hypernetworkManifests(options: Options, { base, corpora }: World): Manifest[] {
  const hypernetwork = {
    // A shuffled corpus's questions contradict its sessions, so it can be learnt by the text alone and not from a
    // teacher that reads the session.
    objective: "CrossEntropy",
    rank,
    targetModules: ["down_proj"],
    width: 128,
    blocks: 3,
    heads: 4,
    steps: options.steps,
    batchSize: 24,
    examplesPerTrajectory: 4,
    learningRate: "0.001",
    holdoutPercent: 5,
    maxLength: 256,
    stop: { afterPercent: 40, cosineDiversityBelow: "0.02", rightMinusWrongBelow: "0.05" },
    precision: "Float32",
  };
  const checkpoint = { everySteps: Math.max(20, Math.floor(options.steps / 10)), size: "1Gi" };
  const learning = (name: string, artifact: ArtifactReference, more: object = {}) =>
    trainingRun(options, name, base, { hypernetwork, corpus: { artifact }, checkpoint, ...more });
  // Sequentially: what the first has learnt is measured while the second learns.
  const requires = [{ kind: "TrainingRun", name: runs.hypernetwork, condition: "Ready" }];
  return [learning(runs.hypernetwork, corpora.training), learning(runs.shuffledHypernetwork, corpora.shuffled, { requires })];
}

/** Each waits for its hypernetwork by itself. */
export function generateManifests(options: Options, { base, corpora }: World): Manifest[] {
  const of = (name: string, run: string, artifact: ArtifactReference, force = false) =>
    trainingRun(options, name, base, { generate: { hypernetwork: { run }, each: "Session", force }, corpus: { artifact } });
  return [
    of(runs.generated, runs.hypernetwork, corpora["held-out"]),
    // Its training ended as collapsed; that its adapters don't help is what is to be shown.
    of(runs.generatedShuffled, runs.shuffledHypernetwork, corpora["held-out"], true),
  ];
}

/**
 * A fine-tuned adapter of each half's session: a generated one contains the static part, which an exact sum of two
 * would count twice. Few passes: after 40 each is so strong that half of it is enough, and the mean does as well as the
 * sum (measured).
 */
export function halfManifests(options: Options, { base, corpora }: World): Manifest[] {
  const sft = { rank, alpha: 2 * rank, targetModules: ["down_proj"], epochs: 12, batchSize: 16, learningRate: "0.005", maxLength: 256 };
  const of = (name: string, artifact: ArtifactReference) =>
    trainingRun(options, name, base, { sft: { ...sft, precision: "Float32" }, corpus: { artifact } });
  return [of(runs.first, corpora.first), of(runs.second, corpora.second)];
}

export function mergeManifests(options: Options, { base }: World, generated: readonly string[], halves: readonly string[]): Manifest[] {
  const merge = (name: string, adapters: readonly string[], combine: string, project: string) =>
    trainingRun(options, name, base, { merge: { adapters, combine }, output: { scope: { project } } });
  return [
    merge(runs.mean, generated.slice(0, inMean), "Mean", "every-project"),
    merge(runs.both, halves, "Cat", "m000"),
    merge(runs.bothMean, halves, "Mean", "m000"),
    trainingRun(options, runs.noise, base, {
      control: { like: generated[0], kind: "RandomOfEqualNorm" },
      output: { scope: { project: "every-project" } },
    }),
  ];
}

function evaluation({ namespace }: Options, name: string, spec: object): Manifest {
  const common = { sampling: answering, sandbox, concurrency: 12 };
  return { apiVersion, kind: "Evaluation", metadata: { name, namespace }, spec: { ...common, ...spec } };
}

const gate = ({ gainPoints, heldOutProjects }: Options) => ({
  candidate: "generated",
  baseline: "base",
  rule: "LowerBound",
  thresholdPoints: gainPoints,
  minimumTasks: heldOutProjects,
});

/**
 * Whether a session's adapter is memory: compared with the base, another session's, the mean, noise, and the session
 * itself in the prompt. The short form omits arms of a kind that another of its evaluations measures.
 */
export function memoryManifest(options: Options, { corpora, taskSets }: World, mean: string, noise: string): Manifest {
  return evaluation(options, evaluations.memory, {
    arms: [
      { name: "base", serverRef },
      { name: "generated", serverRef, ...ofRun(runs.generated, "Scope") },
      { name: "wrong", serverRef, ...ofRun(runs.generated, "Shuffled") },
      { name: "mean", serverRef, adapter: mean },
      ...(options.quick ? [] : [{ name: "noise", serverRef, adapter: noise }]),
      { name: "context", serverRef, context: { artifact: corpora["held-out"], as: "Trajectories", maxTokens: 512 } },
    ],
    taskSet: taskSets.tasks,
    samples: options.samples,
    gate: gate(options),
  });
}

/** The same pipeline, but for sessions that were paired with other projects' questions. */
export function shuffledManifest(options: Options, { taskSets }: World, noise: string): Manifest {
  return evaluation(options, evaluations.shuffled, {
    arms: [
      { name: "base", serverRef },
      { name: "generated", serverRef, ...ofRun(runs.generatedShuffled, "Scope") },
      ...(options.quick ? [] : [{ name: "wrong", serverRef, ...ofRun(runs.generatedShuffled, "Shuffled") }]),
      { name: "noise", serverRef, adapter: noise },
    ],
    taskSet: taskSets.tasks,
    samples: Math.min(2, options.samples),
    gate: gate(options),
  });
}

/** The first arm is the baseline of the others. */
export function mergeEvaluationManifest(options: Options, { taskSets }: World, adapters: Record<string, string>): Manifest {
  const arms = Object.entries(adapters).map(([name, adapter]) => ({ name, serverRef, adapter }));
  return evaluation(options, evaluations.merge, {
    arms: options.quick ? arms : [...arms, { name: "base", serverRef }],
    taskSet: taskSets.merge,
    samples: options.samples,
  });
}
