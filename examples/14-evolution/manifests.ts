import type { BaseModel } from "@rune/crds/fields/base-model";
import type { Adapter } from "@rune/crds/kinds/adapter";
import { apiVersion } from "@rune/crds/words/group";
import { label } from "@rune/crds/words/labels";
import { answering, sandbox } from "../10-minilang/manifests.ts";
import type { Manifest } from "../shared/manifests.ts";
import type { Options } from "./options.ts";
import type { World } from "./world.ts";

export const server = "lab";
const serverRef = { name: server };
/** Marks a namespace that this example created, and so may empty. */
export const ownNamespace = { "app.kubernetes.io/managed-by": "rune-evolution" };
/** The first generation of each population. */
export const generations = { verbs: "verbs", copies: "copies" } as const;
/** The adapter that is copied. */
export const copied = "copied";
/** The project whose verbs the sessions met. */
export const project = "e000";
const populationLabel = "example.org/population";

const rank = 8;
/** The rank of four merged parents of merged parents; larger ones are truncated to it. */
const widestRank = 256;

export function serverManifest({ namespace, adapters, copies }: Options, base: BaseModel): Manifest {
  const spec = {
    base,
    pipelineParallelSize: 2,
    maxModelLength: 1024,
    maxSequences: 64,
    // The initial ones, and five children of each generation.
    adapters: { slots: Math.max(32, adapters + copies), maxRank: widestRank },
    resources: { cpu: "200m" },
  };
  return { apiVersion, kind: "ModelServer", metadata: { name: server, namespace }, spec };
}

/**
 * Like the laboratory's halves, but with more passes: after twelve no adapter of two verbs solves any task of three, so
 * that none is better than another.
 */
const sft = {
  ...{ rank, alpha: 2 * rank, targetModules: ["down_proj"] },
  ...{ epochs: 30, batchSize: 16, learningRate: "0.005", maxLength: 256, precision: "Float32" },
};
const resources = { cpu: "200m", memory: "4Gi" };

/** An adapter per session, and the one that is copied. */
export function trainingManifests({ namespace }: Options, { base, corpora }: World): Manifest[] {
  const of = (name: string, artifact: World["corpora"][number], scope: object): Manifest => {
    const spec = { base, sft, corpus: { artifact }, output: { scope }, resources };
    return { apiVersion, kind: "TrainingRun", metadata: { name, namespace }, spec };
  };
  const [first] = corpora;
  return [
    ...corpora.map((corpus, index) => of(runOf(index), corpus, { project, domain: `pair-${index + 1}` })),
    ...(first ? [of(copied, first, { project: copied })] : []),
  ];
}

export const runOf = (index: number) => `pair-${String(index + 1).padStart(2, "0")}`;

/** The same weights under different names. */
export function copyManifests({ namespace, copies }: Options, { spec }: Pick<Adapter, "spec">): Manifest[] {
  const digest = spec.artifact.digest.slice("sha256:".length, "sha256:".length + 16);
  return Array.from({ length: copies }, (_, index) => ({
    apiVersion,
    kind: "Adapter",
    metadata: { name: `copy-${index + 1}-${digest}`, namespace, labels: { [populationLabel]: generations.copies } },
    spec,
  }));
}

/** A chain of generations over the adapters of the sessions, and one over the copies, which has nothing to find. */
export function generationManifests(options: Options, { taskSet }: World): [verbs: Manifest, copies: Manifest] {
  const of = (name: string, matchLabels: Record<string, string>, maxGenerations: number): Manifest => {
    const spec = {
      serverRef,
      population: { matchLabels },
      fitness: { taskSet: { ...taskSet, part: "Validation" }, samples: 2 },
      selection: { parents: 4, tournamentSize: 3 },
      variation: { merge: { children: 3, combine: "Cat", weights: "Equal" } },
      promotion: { taskSet: { ...taskSet, part: "Test" }, samples: 5, minimumTasks: 20 },
      pruning: { patience: 2, minimumPopulation: 4 },
      maxGenerations,
      ...{ sampling: answering, sandbox, concurrency: 12 },
      training: { resources },
    };
    return { apiVersion, kind: "EvolutionGeneration", metadata: { name, namespace: options.namespace }, spec };
  };
  return [
    of(generations.verbs, { [label.project]: project }, options.generations),
    of(generations.copies, { [populationLabel]: generations.copies }, 1),
  ];
}
