import { isDeepStrictEqual } from "node:util";
import type { EvolutionGeneration } from "@rune/crds/kinds/evolution-generation";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import { ConditionType } from "@rune/crds/words/conditions";
import { type Cache, type Context, isTerminal, isTrue, type KubeObject, type Resource } from "kopf-ts";
import { ownChild } from "../pods/pod.ts";
import { nameOfUser, usersIn, usesOf } from "../shared/adapter-users.ts";
import { observeRequirements } from "../shared/requires.ts";
import { adapters, agentSessions, evaluations, evolutionGenerations, modelServers, trainingRuns } from "../shared/resources.ts";
import type { Services } from "../shared/services.ts";
import { type AskedTasks, observeTasks } from "../shared/task-set.ts";
import { championsIn } from "./champions.ts";
import { learnsAnew } from "./children.ts";
import { nameOfNext } from "./ending.ts";
import { readRecords } from "./evidence.ts";
import { readResults } from "./results.ts";
import { pairsIn } from "./retraining.ts";
import { type Step, stepOf } from "./steps.ts";
import { makersOf, readTracking } from "./tracking.ts";
import { readTrainingData } from "./training-data.ts";
import type { World } from "./world.ts";

/** All reads of a pass. Reads whose cost grows with the number of adapters happen only in the step that needs them. */
export async function observe(generation: EvolutionGeneration, { cache }: Context, services: Services): Promise<World> {
  const { namespace } = generation.metadata;
  const { spec, status = {} } = generation;
  const over = isTerminal(generation) || generation.metadata.deletionTimestamp !== undefined;
  const root = rootOf(generation, cache);
  const step = over || spec.suspend || root?.spec.suspend ? undefined : stepOf(generation);
  const { children = [], members = [], promotion } = status;
  const champions = [promotion?.incumbent, ...(promotion?.alsoChampions ?? []), step === "Begin" ? spec.former?.promoted : undefined];
  const named = [...members.map(({ name }) => name), ...children.map((child) => adapterOf(child, namespace, cache)), ...champions];
  const isChoosing = step === "Promote" && !promotion;
  const measured = own(
    generation,
    evaluations,
    (status.evaluations ?? []).map(({ name }) => name),
    cache,
  );
  const decidedBy = step === "Promote" && promotion?.evaluation ? measured.get(promotion.evaluation) : undefined;
  const isJudging = decidedBy !== undefined && isTrue(decidedBy, ConditionType.Succeeded);
  const known = found(named, (name) => cache(adapters).get({ namespace, name }));
  return {
    generation,
    root,
    requirements: observeRequirements(generation, cache),
    server: cache(modelServers).get({ namespace, name: spec.serverRef.name }),
    tasks: step === "Begin" ? await observeBothTasks(generation, cache, services) : undefined,
    deciding: isChoosing ? await observeDeciding(generation, cache, services) : undefined,
    population: step === "Begin" || isChoosing ? cache(adapters).list({ namespace, labels: spec.population.matchLabels }) : [],
    adapters: known,
    champions: isChoosing || isJudging ? championsIn(generation, cache) : [],
    runs: own(
      generation,
      trainingRuns,
      children.map(({ run }) => run),
      cache,
    ),
    generatorRun: step === "Breed" ? generatorRunOf(generation, cache) : undefined,
    evaluations: measured,
    ...(await observeRegistry(generation, step, cache, services)),
    ...(step === "End" ? await observeEnd(generation, known, cache, services) : beforeEnd),
    ...observeRetraining(generation, step, cache),
    users: step === "Prune" ? usersOf(namespace, cache) : new Map(),
  };
}

/** The first generation of the chain; another chain's may have its name by now. */
function rootOf({ metadata: { namespace }, spec: { rootRef } }: EvolutionGeneration, cache: Cache): EvolutionGeneration | undefined {
  const found = rootRef && cache(evolutionGenerations).get({ namespace, name: rootRef.name });
  return found?.metadata.uid === rootRef?.uid ? found : undefined;
}

function generatorRunOf({ metadata: { namespace }, spec: { variation } }: EvolutionGeneration, cache: Cache): TrainingRun | undefined {
  const name = variation.generate?.hypernetwork.run;
  return name ? cache(trainingRuns).get({ namespace, name }) : undefined;
}

/** Lists sessions only where a decision depends on them. */
function observeRetraining(generation: EvolutionGeneration, step: Step | undefined, cache: Cache): Pick<World, "pairs" | "retraining"> {
  const { namespace } = generation.metadata;
  const labels = generation.spec.hypernetwork?.sessions.matchLabels;
  const run = generation.status?.hypernetwork?.run;
  const isNeeded = labels && (step === "Begin" || step === "End");
  return {
    pairs: isNeeded ? pairsIn(cache(agentSessions).list({ namespace, labels })) : undefined,
    retraining: run ? cache(trainingRuns).get({ namespace, name: run }) : undefined,
  };
}

type AtEnd = Pick<World, "next" | "tracking" | "makers">;
const beforeEnd: AtEnd = { next: undefined, tracking: undefined, makers: new Map() };

async function observeEnd(generation: EvolutionGeneration, known: World["adapters"], cache: Cache, services: Services): Promise<AtEnd> {
  const { namespace } = generation.metadata;
  return {
    next: cache(evolutionGenerations).get({ namespace, name: nameOfNext(generation) }),
    tracking: await readTracking(generation, services),
    makers: makersOf(known.values(), { get: (name) => cache(trainingRuns).get({ namespace, name }) }),
  };
}

/** A child's Adapter; before its name is in status, the one of its run. */
const adapterOf = (child: { run: string; adapter?: string | undefined }, namespace: string, cache: Cache) =>
  child.adapter ?? cache(trainingRuns).get({ namespace, name: child.run })?.status?.adapter;

function found<T>(names: readonly (string | undefined)[], get: (name: string) => T | undefined): Map<string, T> {
  return new Map(
    names.flatMap((name) => {
      const each = name ? get(name) : undefined;
      return name && each ? [[name, each] as const] : [];
    }),
  );
}

const own = <T extends KubeObject>(generation: EvolutionGeneration, resource: Resource<T>, names: readonly string[], cache: Cache) =>
  found(names, (name) => ownChild(generation as KubeObject, cache(resource).get({ namespace: generation.metadata.namespace, name })));

const asked = ({ metadata, spec }: EvolutionGeneration, name: "fitness" | "promotion"): AskedTasks => ({
  namespace: metadata.namespace,
  reference: spec[name].taskSet,
  field: `spec.${name}.taskSet`,
  again: "a new generation",
});

/** Both sets, read once if they are parts of the same one. */
async function observeBothTasks(generation: EvolutionGeneration, cache: Cache, services: Services) {
  const [selecting, deciding] = [asked(generation, "fitness"), asked(generation, "promotion")];
  const fitness = await observeTasks(selecting, cache, services);
  const isOne = isDeepStrictEqual(sourceOf(selecting), sourceOf(deciding));
  return { fitness, promotion: isOne ? fitness : await observeTasks(deciding, cache, services) };
}

const sourceOf = ({ reference: { repository, digest, configMap, bundled } }: AskedTasks) => ({ repository, digest, configMap, bundled });

const observeDeciding = (generation: EvolutionGeneration, cache: Cache, services: Services) =>
  observeTasks({ ...asked(generation, "promotion"), frozen: generation.status?.promotionTaskSet }, cache, services);

async function observeRegistry(
  generation: EvolutionGeneration,
  step: Step | undefined,
  cache: Cache,
  services: Services,
): Promise<Pick<World, "results" | "learnt" | "records">> {
  const { namespace } = generation.metadata;
  const { children = [], members = [] } = generation.status ?? {};
  const measured =
    step === "Select" || step === "DropDuplicates" ? [...members, ...children].flatMap(({ evaluationUID }) => evaluationUID ?? []) : [];
  const union = step === "Breed" ? children.filter((child) => learnsAnew(child) && child.state === "Planned") : [];
  return {
    results: await readResults([...new Set(measured)], namespace, services),
    learnt: await readTrainingData(
      union.flatMap(({ parents }) => parents),
      namespace,
      cache,
      services,
    ),
    records: step === "Record" ? await readRecords(generation, services) : new Map(),
  };
}

/** One user of each adapter that is in use. */
const usersOf = (namespace: string, cache: Cache): Map<string, string> =>
  new Map(usersIn(namespace, cache).flatMap((user) => usesOf(user).map((name) => [name, nameOfUser(user)] as const)));
