import type { ArtifactReference } from "@rune/crds/fields/artifact-reference";
import type { BaseModel } from "@rune/crds/fields/base-model";
import type { Task } from "@rune/crds/kinds/agent-session";
import { apiVersion } from "@rune/crds/words/group";
import type { Manifest } from "../shared/manifests.ts";
import type { Options } from "./options.ts";

const project = "tessera";
/** The scope of sessions and held-out tasks. */
export const scope = { project };
const server = "coder";
const library = "tessera-library";
/** The first object, which every session requires. */
export const environment = "environment";
/** Sessions that the TrainingRun learns from. */
export const trainingLabel = { "example.org/learn": project };

/**
 * A third of the tokens of a free answer: the model continues at the end of the task's stub, and stops at the end of
 * the function. No nucleus: a CPU would sort the whole vocabulary for each token, and lose a third of its speed.
 */
const answer = { topP: "1", maxTokens: 96, stop: ["```", "\ndef ", "\n\n"] };
/** Sessions need different programs. */
const exploring = { ...answer, temperature: "0.7" };
/** Pass@1 measures what the model would answer (HumanEval: 0.2). */
const answering = { ...answer, temperature: "0.2" };
const sandbox = { libraryConfigMap: library, timeoutSeconds: 10 };

/** Marks a namespace that the quickstart created, and so may empty. */
export const ownNamespace = { "app.kubernetes.io/managed-by": "rune-quickstart" };

export function libraryManifest(namespace: string, source: string): Manifest {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name: library, namespace }, data: { "tessera.py": source } };
}

/** Whether all of this can work here: the base learns a made-up word, and the server repeats it. */
export function environmentManifest(namespace: string, base: BaseModel, options: Options): Manifest {
  const spec = {
    base,
    device: options.gpus > 0 ? "GPU" : "CPU",
    server: { serverRef: { name: server } },
    resources: { cpu: "200m", memory: "6Gi", gpus: options.gpus },
    deadlineSeconds: 2400,
  };
  return { apiVersion, kind: "EnvironmentCheck", metadata: { name: environment, namespace }, spec };
}

export function serverManifest(namespace: string, base: BaseModel): Manifest {
  const spec = {
    base,
    pipelineParallelSize: 2,
    maxModelLength: 2048,
    maxSequences: 32,
    adapters: { slots: 2, maxRank: 16 },
    resources: { cpu: "200m" },
  };
  return { apiVersion, kind: "ModelServer", metadata: { name: server, namespace }, spec };
}

export function sessionManifest(namespace: string, name: string, task: Task, options: Options, labels?: Record<string, string>): Manifest {
  const spec = {
    task,
    scope,
    serverRef: { name: server },
    attempts: options.attempts,
    candidates: 3,
    sampling: exploring,
    sandbox,
    deadlineSeconds: 5400,
    requires: [{ kind: "EnvironmentCheck", name: environment, condition: "ChecksPassed" }],
  };
  return { apiVersion, kind: "AgentSession", metadata: { name, namespace, ...(labels && { labels }) }, spec };
}

export function trainingRunManifest(namespace: string, base: BaseModel, options: Options): Manifest {
  const spec = {
    base,
    sft: { rank: 16, alpha: 32, epochs: options.epochs, batchSize: 4, learningRate: "0.0004", maxLength: 512 },
    corpus: { sessions: { matchLabels: trainingLabel }, minimumSessions: 1 },
    output: { scope },
    checkpoint: { everySteps: 20, size: "2Gi" },
    resources: { cpu: "200m", memory: "8Gi", gpus: options.gpus },
  };
  return { apiVersion, kind: "TrainingRun", metadata: { name: project, namespace }, spec };
}

export function evaluationManifest(namespace: string, taskSet: ArtifactReference, adapter: string, options: Options): Manifest {
  const spec = {
    arms: [
      { name: "base", serverRef: { name: server } },
      { name: "adapter", serverRef: { name: server }, adapter },
    ],
    taskSet: { ...taskSet, maxTasks: options.heldOutTasks },
    samples: options.samples,
    sampling: answering,
    // One sandbox judges every program of an arm.
    sandbox: { ...sandbox, cpu: "700m" },
    concurrency: 6,
    gate: {
      candidate: "adapter",
      baseline: "base",
      rule: "LowerBound",
      thresholdPoints: 5,
      // Counts clusters: the tasks are of 16 functions, three each.
      minimumTasks: Math.min(options.heldOutTasks, 12),
      // Control arms would double its time; examples/10-minilang has them all.
      mode: "Smoke",
    },
  };
  return { apiVersion, kind: "Evaluation", metadata: { name: `${project}-held-out`, namespace }, spec };
}
