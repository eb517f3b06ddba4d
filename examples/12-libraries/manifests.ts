import { readFileSync } from "node:fs";
import type { ArtifactReference } from "@rune/crds/fields/artifact-reference";
import type { BaseModel } from "@rune/crds/fields/base-model";
import { apiVersion } from "@rune/crds/words/group";
import { type Manifest, ofRun } from "../shared/manifests.ts";
import type { Options } from "./options.ts";

/** Everything in the registry before the first object is applied. */
export interface World {
  readonly base: BaseModel;
  readonly training: ArtifactReference;
  readonly heldOut: ArtifactReference;
  readonly tasks: ArtifactReference;
}

const server = "libraries";
const serverRef = { name: server };
/** Files of the held-out libraries, on the import path of a sandbox. */
export const library = "held-out-libraries";
/** Marks a namespace that the example created, and so may empty. */
export const ownNamespace = { "app.kubernetes.io/managed-by": "rune-libraries" };
export const runs = { hypernetwork: "hypernetwork", generated: "generated", mean: "mean", noise: "noise" } as const;
export const evaluationName = "held-out-libraries";
/** A merge accepts no more adapters. */
export const inMean = 16;
const widestRank = 32;

/** The sections `hypernetwork` by name: the trial of trial/run.py uses them too. */
export const presets: Record<string, object> = JSON.parse(readFileSync(new URL("hypernetwork.json", import.meta.url), "utf8"));

/** `files`: name of a file → its text. */
export function libraryManifest(namespace: string, files: Record<string, string>): Manifest {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name: library, namespace }, data: files };
}

export function serverManifest({ namespace }: Options, { base }: World): Manifest {
  const spec = {
    base,
    maxModelLength: 4096,
    maxSequences: 128,
    adapters: { slots: 32, maxRank: widestRank },
    resources: { gpus: 1 },
  };
  return { apiVersion, kind: "ModelServer", metadata: { name: server, namespace }, spec };
}

function trainingRun({ namespace }: Options, { base }: World, name: string, method: object, gpus: 0 | 1): Manifest {
  const resources = { memory: "32Gi", gpus };
  return { apiVersion, kind: "TrainingRun", metadata: { name, namespace }, spec: { base, ...method, resources } };
}

export function hypernetworkManifest(options: Options, world: World): Manifest {
  const checkpoint = { everySteps: 100, size: "8Gi" };
  const method = { hypernetwork: presets.gpu, corpus: { artifact: world.training }, checkpoint };
  return trainingRun(options, world, runs.hypernetwork, method, 1);
}

/** One adapter for each held-out library's session. */
export function generateManifest(options: Options, world: World): Manifest {
  const generate = { hypernetwork: { run: runs.hypernetwork }, each: "Session", force: true };
  return trainingRun(options, world, runs.generated, { generate, corpus: { artifact: world.heldOut } }, 1);
}

/** The adapters that a memory must beat. */
export function controlManifests(options: Options, world: World, generated: readonly string[]): Manifest[] {
  const output = { scope: { project: "every-library" } };
  const merge = { adapters: generated.slice(0, inMean), combine: "Mean", rank: widestRank };
  const control = { like: generated[0], kind: "RandomOfEqualNorm" };
  return [trainingRun(options, world, runs.mean, { merge, output }, 0), trainingRun(options, world, runs.noise, { control, output }, 0)];
}

/** Every library is one piece of evidence; its tasks share a cluster. */
export function evaluationManifest({ namespace, heldOut, samples }: Options, world: World, mean: string, noise: string): Manifest {
  const spec = {
    arms: [
      { name: "base", serverRef },
      { name: "generated", serverRef, ...ofRun(runs.generated, "Scope") },
      { name: "wrong", serverRef, ...ofRun(runs.generated, "Shuffled") },
      { name: "mean", serverRef, adapter: mean },
      { name: "noise", serverRef, adapter: noise },
      { name: "context", serverRef, context: { artifact: world.heldOut, as: "Trajectories", maxTokens: 2048 } },
    ],
    taskSet: world.tasks,
    samples,
    sampling: { temperature: "0.2", topP: "1", maxTokens: 96, stop: ["```", "\ndef ", "\n\n"] },
    sandbox: { libraryConfigMap: library, timeoutSeconds: 10, cpu: "2" },
    concurrency: 32,
    gate: { candidate: "generated", baseline: "base", rule: "LowerBound", thresholdPoints: 5, minimumTasks: Math.min(heldOut, 50) },
  };
  return { apiVersion, kind: "Evaluation", metadata: { name: evaluationName, namespace }, spec };
}
