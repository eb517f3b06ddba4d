import type { ArtifactReference } from "@rune/crds/fields/artifact-reference";
import type { MeasuredTasks } from "@rune/crds/fields/measurement";
import type { Resources } from "@rune/crds/fields/scheduling";
import type { EvolutionGeneration } from "@rune/crds/kinds/evolution-generation";
import { dividedMethods } from "@rune/crds/kinds/methods";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import { apiVersion } from "@rune/crds/words/group";
import { label } from "@rune/crds/words/labels";
import type { DynamicObject, KubeObject } from "kopf-ts";
import { ownedMetadata, schedulingOf } from "../pods/pod.ts";
import type { TierAndScope } from "./tier.ts";
import type { Child, Measurement, Promotion, TrainingData } from "./world.ts";

/** Complete manifests, derived from status alone, so that a restarted operator creates the same. */

const owned = (generation: EvolutionGeneration, name: string) =>
  ownedMetadata(generation as EvolutionGeneration & KubeObject, name, { [label.generation]: generation.metadata.name });

type TaskSetReference = EvolutionGeneration["spec"]["fitness"]["taskSet"];

/** Arm names of an evaluation, by an adapter's index in its list. */
export const armOf = (index: number) => `a${index + 1}`;
export const baseArm = "base";

/** The base and an entry's adapters, on the selecting tasks. */
export function measuringEvaluation(generation: EvolutionGeneration, { name, adapters }: Measurement): DynamicObject {
  const { serverRef, fitness } = generation.spec;
  const arms = [{ name: baseArm, serverRef }, ...adapters.map((adapter, index) => ({ name: armOf(index), serverRef, adapter }))];
  const taskSet = frozenTasks(fitness.taskSet, generation.status?.taskSet);
  return evaluationOf(generation, name, { arms, ...fitness, taskSet });
}

/** Arms of the deciding evaluation. */
export const decidingArms = {
  base: "base",
  candidate: "candidate",
  BestParent: "parent",
  Incumbent: "champion",
  Mean: "mean",
  UnionRetrain: "union",
  ScaledParent: "scaled",
} as const;
export type RivalRole = Exclude<keyof typeof decidingArms, "base" | "candidate">;
/**
 * Each task is answered by another task's adapter: distinguishes memory from one adapter that is good at everything.
 */
const shuffledArm = "shuffled";

/** The candidate against its rivals, all paired on the deciding tasks. */
export function decidingEvaluation(
  generation: EvolutionGeneration,
  { candidate = "", confidence, evaluation = "", baseline, shuffled }: Promotion,
  rivals: ReadonlyMap<RivalRole, string>,
): DynamicObject {
  const { serverRef, promotion, population } = generation.spec;
  const { samples, marginPoints, minimumTasks } = promotion;
  const taskSet = frozenTasks(promotion.taskSet, generation.status?.promotionTaskSet);
  const arms = [
    { name: decidingArms.base, serverRef },
    { name: decidingArms.candidate, serverRef, adapter: candidate },
    ...[...rivals].map(([role, adapter]) => ({ name: decidingArms[role], serverRef, adapter })),
    ...(shuffled ? [{ name: shuffledArm, serverRef, adapters: { matchLabels: population.matchLabels, assign: "Shuffled" } }] : []),
  ];
  const [role = "BestParent"] = [...rivals].find(([, adapter]) => adapter === baseline) ?? [];
  const gate = {
    candidate: decidingArms.candidate,
    baseline: decidingArms[role],
    rule: "LowerBound",
    thresholdPoints: marginPoints,
    confidence,
    minimumTasks,
  };
  return evaluationOf(generation, evaluation, { arms, taskSet, samples, gate });
}

/** The tasks by their frozen digest: the original reference may be gone, or hold other tasks by now. */
const frozenTasks = ({ part, maxTasks }: TaskSetReference, frozen: MeasuredTasks | undefined): TaskSetReference => ({
  repository: frozen?.repository,
  digest: frozen?.digest,
  part,
  ...(maxTasks !== undefined && { maxTasks }),
});

function evaluationOf(generation: EvolutionGeneration, name: string, measured: object): DynamicObject {
  const { sampling, sandbox, concurrency, seed } = generation.spec;
  return { apiVersion, kind: "Evaluation", metadata: owned(generation, name), spec: { ...measured, sampling, sandbox, concurrency, seed } };
}

/** What a child is made from, apart from its parents' names. */
interface Making {
  readonly server: ModelServer;
  readonly place: TierAndScope | null;
  /** Sum of the parents' ranks. */
  readonly rank: number;
  /** For the union: what all parents have learnt from, with the best parent's settings. */
  readonly learnt?: TrainingData | undefined;
}

/** The TrainingRun of a child. */
export function runOf(generation: EvolutionGeneration, child: Child, making: Making): DynamicObject {
  const method = { ...methodOf(generation, child, making), output: { scope: making.place?.scope ?? {} } };
  return trainingRun(generation, owned(generation, child.run), making.server, method);
}

/** Labels of a retraining. The UID distinguishes it from that of another chain, which may have the same name. */
export const retrainingLabels = ({ metadata: { name, uid } }: EvolutionGeneration) => ({
  [label.generation]: name,
  [label.formerUID]: uid,
});

/** Retrains the hypernetwork. It has no owner: later generations use it when this one has long been deleted. */
export function hypernetworkRun(
  generation: EvolutionGeneration,
  name: string,
  server: ModelServer,
  artifacts: readonly ArtifactReference[],
): DynamicObject {
  const { settings = {} } = generation.spec.hypernetwork ?? {};
  const metadata = { name, namespace: generation.metadata.namespace, labels: retrainingLabels(generation) };
  return trainingRun(generation, metadata, server, { hypernetwork: settings, corpus: { artifacts } });
}

function trainingRun(
  { spec }: EvolutionGeneration,
  metadata: DynamicObject["metadata"],
  server: ModelServer,
  method: object,
): DynamicObject {
  const { image, queueName, checkpoint, deadlineSeconds, ...rest } = spec.training;
  const divided = dividedMethods.some((name) => name in method);
  const resources = divided ? spec.training.resources : withOneGPU(spec.training.resources);
  const how = { ...(image && { image }), resources, ...(queueName && { queueName }), ...schedulingOf(rest), checkpoint, deadlineSeconds };
  return { apiVersion, kind: "TrainingRun", metadata, spec: { base: server.spec.base, ...method, ...how } };
}

/** For a method that works with no more. */
const withOneGPU = (resources: Resources): Resources => ({ ...resources, ...(resources.gpus && { gpus: 1 }) });

function methodOf(
  generation: EvolutionGeneration,
  { run, kind, parents, like, equalWeights }: Child,
  { server, rank, learnt }: Making,
): object {
  const { merge, generate, sft } = generation.spec.variation;
  // An adapter above the server's maximum rank could never be measured.
  const { maxRank } = server.spec.adapters;
  const most = rank > maxRank ? { rank: maxRank } : {};
  const seed = seedOf(generation, run);
  const { artifacts = [], include } = learnt ?? {};
  switch (kind) {
    case "Merge": {
      const { children: _, weights, search, ...how } = merge;
      const searched = weights === "Search" && !equalWeights ? { search: search ?? {} } : {};
      return { merge: { adapters: parents, ...most, ...how, ...searched, seed } };
    }
    case "Mean":
      return { merge: { adapters: parents, combine: "Mean", ...most } };
    case "ScaledParent":
      return { merge: { adapters: parents, normOf: like, ...most } };
    case "Generate":
      return { generate: { hypernetwork: generate?.hypernetwork, each: "Corpus" }, corpus: { artifacts } };
    case "UnionRetrain": {
      const corpus = { artifacts, ...(include && { include }) };
      const { warmStart: _, ...how } = { ...(sft ?? learnt?.sft ?? {}), seed };
      return { sft: how, corpus };
    }
    default:
      return kind satisfies never;
  }
}

/** Children of one generation get different seeds; the same child made again gets the same. */
function seedOf({ spec }: EvolutionGeneration, run: string): number {
  const place = Number(run.match(/\d+$/)?.[0] ?? 0);
  return (spec.seed + 1000 * spec.generation + place) % 2 ** 31;
}
