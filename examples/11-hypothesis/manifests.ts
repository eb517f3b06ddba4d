import type { HeldOutTask } from "@rune/crds/contracts/task-set";
import type { BaseModel } from "@rune/crds/fields/base-model";
import { apiVersion } from "@rune/crds/words/group";
import { type Manifest, ofRun } from "../shared/manifests.ts";
import type { Options } from "./options.ts";
import { project, seed, type TrainingTask } from "./tasks.ts";

export const server = "coder";
const serverRef = { name: server };
/** The sessions of all trainings. */
export const learningLabel = { "example.org/learn": project };
/** Marks a namespace that the example created, and so may empty. */
export const ownNamespace = { "app.kubernetes.io/managed-by": "rune-hypothesis" };
const taskSet = "humaneval-held-out";
export const evaluationName = "phase-1";
/** TrainingRuns, by their results. */
export const runs = { fineTuned: "fine-tuned", hypernetwork: "hypernetwork", generated: "generated", mean: "mean" } as const;
/** A merge accepts no more. */
export const mostInMean = 16;
/** Rank of a server's slot: of the mean; a chunk and the static part at rank 8 have 16. */
const widestRank = 32;

/** An answer continues at the end of the stub, and stops at the end of its code block or its function. */
const answer = { topP: "1", maxTokens: 224, stop: ["\n```", "\ndef ", "\nif __name__", "\nprint("] };
const exploring = { ...answer, temperature: "0.8" };
const answering = { ...answer, temperature: "0.2" };
const sandbox = { timeoutSeconds: 10 };

export function serverManifest(namespace: string, base: BaseModel): Manifest {
  const spec = {
    base,
    // On two cores one stage answers a third faster than two; the quickstart shows the two.
    pipelineParallelSize: 1,
    maxModelLength: 2048,
    maxSequences: 32,
    // For all adapters at once: one for each held-out task at most, the mean and the fine-tuned one.
    adapters: { slots: 32, maxRank: widestRank },
    resources: { cpu: "200m" },
  };
  return { apiVersion, kind: "ModelServer", metadata: { name: server, namespace }, spec };
}

export function sessionManifest({ namespace }: Options, { name, task, scope }: TrainingTask): Manifest {
  const spec = {
    task,
    scope,
    serverRef,
    adapter: { policy: "None" },
    attempts: 3,
    candidates: 3,
    sampling: exploring,
    sandbox,
    deadlineSeconds: 5400,
  };
  return { apiVersion, kind: "AgentSession", metadata: { name, namespace, labels: learningLabel }, spec };
}

/** Held-out tasks with the scopes that they need. */
export function taskSetManifest(namespace: string, tasks: readonly HeldOutTask[]): Manifest {
  const lines = tasks.map((task) => JSON.stringify(task)).join("\n");
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name: taskSet, namespace }, data: { "tasks.jsonl": `${lines}\n` } };
}

function trainingRun({ namespace, gpus }: Options, name: string, base: BaseModel, method: object): Manifest {
  const resources = { cpu: "200m", memory: "10Gi", gpus };
  return { apiVersion, kind: "TrainingRun", metadata: { name, namespace }, spec: { base, ...method, resources } };
}

const namesOf = (sessions: readonly TrainingTask[]) => sessions.map(({ name }) => name);

export function fineTunedManifest(options: Options, base: BaseModel, solved: readonly TrainingTask[]): Manifest {
  return trainingRun(options, runs.fineTuned, base, {
    sft: { rank: 16, alpha: 32, epochs: 1, batchSize: 4, learningRate: "0.0002", maxLength: 768 },
    corpus: { sessionNames: namesOf(solved), minimumSessions: options.minimumPairs },
    output: { scope: { project } },
  });
}

/** Small enough for two cores, where a step takes most of a minute: 40 steps of 2 trajectories, with an example each. */
export function hypernetworkManifest(options: Options, base: BaseModel, solved: readonly TrainingTask[]): Manifest {
  return trainingRun(options, runs.hypernetwork, base, {
    hypernetwork: {
      objective: "Distillation",
      rank: 8,
      targetModules: ["down_proj"],
      width: 256,
      blocks: 4,
      heads: 4,
      chunkTokens: 512,
      maxChunks: 1,
      steps: options.steps,
      batchSize: 2,
      examplesPerTrajectory: 1,
      learningRate: "0.0008",
      maxLength: 768,
      minimumPairs: options.minimumPairs,
      holdoutPercent: 15,
      // The steps are few: whether another session's adapter serves as well is measured when most of them are over.
      stop: { afterPercent: 60, cosineDiversityBelow: "0.1", rightMinusWrongBelow: "0" },
    },
    corpus: { sessionNames: namesOf(solved), minimumSessions: options.minimumPairs },
    checkpoint: { everySteps: Math.max(2, Math.ceil(options.steps / 3)), size: "4Gi" },
  });
}

/**
 * Adapters of the sessions that the held-out tasks need. A collapsed hypernetwork's are generated too: that they don't
 * help is a finding.
 */
export function generateManifest(options: Options, base: BaseModel, sessions: readonly TrainingTask[]): Manifest {
  return trainingRun(options, runs.generated, base, {
    generate: { hypernetwork: { run: runs.hypernetwork }, each: "Session", force: true },
    corpus: { sessionNames: namesOf(sessions) },
  });
}

export function meanManifest(options: Options, base: BaseModel, adapters: readonly string[]): Manifest {
  return trainingRun(options, runs.mean, base, {
    merge: { adapters: adapters.slice(0, mostInMean), combine: "Mean", rank: widestRank },
    output: { scope: { project } },
  });
}

/** Phase 1's gate, and every arm that distinguishes a memory from a better generic adapter. */
export function evaluationManifest(options: Options, adapters: { mean: string; fineTuned: string }): Manifest {
  const spec = {
    arms: [
      { name: "base", serverRef },
      { name: "generated", serverRef, ...ofRun(runs.generated, "Scope") },
      { name: "wrong", serverRef, ...ofRun(runs.generated, "Shuffled") },
      { name: "mean", serverRef, adapter: adapters.mean },
      { name: "context", serverRef, context: { sessions: { matchLabels: learningLabel }, as: "Trajectories", maxTokens: 640 } },
      { name: "fine-tuned", serverRef, adapter: adapters.fineTuned },
    ],
    taskSet: { configMap: { name: taskSet }, part: "Test", maxTasks: options.heldOutTasks },
    samples: options.samples,
    sampling: answering,
    sandbox: { ...sandbox, cpu: "700m" },
    seed,
    concurrency: 6,
    gate: {
      candidate: "generated",
      baseline: "base",
      // The plan's rule. The report also has the lower bound.
      rule: "PointEstimate",
      thresholdPoints: 5,
      mode: "Smoke",
      minimumTasks: Math.min(20, options.heldOutTasks),
    },
  };
  return { apiVersion, kind: "Evaluation", metadata: { name: evaluationName, namespace: options.namespace }, spec };
}
