import { mediaType } from "@rune/crds/artifact";
import { label } from "@rune/crds/common";
import type { EvolutionGeneration } from "@rune/crds/evolution-generation";
import { type Context, configMaps, type KubeObject, type Manager, type ObjectKey, type Outcome } from "kopf-ts";
import type { Services } from "../context.ts";
import { adapters, agentSessions, environmentChecks, evaluations, evolutionGenerations, modelServers, trainingRuns } from "../resources.ts";
import { requiring } from "../wake.ts";
import { decide } from "./decide.ts";
import { type StoreEvidence, tagOf } from "./evidence.ts";
import { observe } from "./observe.ts";

async function reconcile(generation: EvolutionGeneration, context: Context, services: Services): Promise<Outcome> {
  const world = await observe(generation, context, services);
  return decide(world, storing(generation, services), context.clock.now());
}

/** Evidence is a manifest without files, under a tag of its own. */
function storing(generation: EvolutionGeneration, services: Services): StoreEvidence {
  return async (repository, evidence) => {
    if (evidence.kind === "Evaluation" || evidence.kind === "Restoration") return;
    const tag = tagOf(generation, { digest: evidence.adapter.digest, kind: evidence.kind });
    const registry = services.registry(generation.metadata.namespace, repository, ["pull", "push"]);
    await registry.push({
      repository,
      artifactType: mediaType.evidence,
      config: evidence,
      configMediaType: mediaType.evidence,
      files: [],
      tag,
    });
  };
}

/** Wakes on its evaluations and runs, on its server, on the adapters of its population and of its children, on the first of its chain, and on what it requires. */
export function register(manager: Manager, services: Services): void {
  const required = requiring(manager, evolutionGenerations);
  const inNamespace = (changed: KubeObject, wakes: (generation: EvolutionGeneration) => boolean): ObjectKey[] =>
    manager
      .cache(evolutionGenerations)
      .list({ namespace: changed.metadata.namespace })
      .filter(wakes)
      .map(({ metadata }) => metadata);
  manager
    .controller("evolution-generation")
    .for(evolutionGenerations)
    .owns(evaluations)
    .owns(trainingRuns)
    .watches(adapters, (adapter) => [...inNamespace(adapter, (generation) => concerns(generation, adapter)), ...required(adapter)])
    .watches(modelServers, (server) => [
      ...inNamespace(server, ({ spec, status }) => !status?.startTime && spec.serverRef.name === server.metadata.name),
      ...required(server),
    ])
    .watches(configMaps, (configMap) => inNamespace(configMap, (generation) => beginsWith(generation, configMap.metadata.name)))
    .watches(evolutionGenerations, (root) => [
      ...inNamespace(root, ({ spec }) => spec.rootRef?.name === root.metadata.name),
      ...required(root),
    ])
    .watches(evaluations, required)
    .watches(trainingRuns, required)
    .watches(agentSessions, required)
    .watches(environmentChecks, required)
    .withOptions({ maxConcurrentReconciles: 4, reportFailures: true })
    .complete((generation, context) => reconcile(generation, context, services));
}

/** Tasks that a generation begins with. */
const beginsWith = ({ spec, status }: EvolutionGeneration, configMap: string) =>
  !status?.startTime && [spec.fitness, spec.promotion].some(({ taskSet }) => taskSet.configMap?.name === configMap);

/** One that may become a member of a population that isn't frozen, or that is about to be a child. */
function concerns({ spec, status }: EvolutionGeneration, { metadata }: KubeObject): boolean {
  if (!status?.startTime) return Object.entries(spec.population.matchLabels).every(([key, value]) => metadata.labels?.[key] === value);
  return status.children?.some(({ run, state }) => state === "Training" && metadata.labels?.[label.run] === run) ?? false;
}
