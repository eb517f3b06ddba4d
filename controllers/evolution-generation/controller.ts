import { storeEvidence } from "@rune/clients/registry/evidence";
import type { EvolutionGeneration } from "@rune/crds/kinds/evolution-generation";
import { label } from "@rune/crds/words/labels";
import { type Context, configMaps, type KubeObject, type Manager, type ObjectKey, type Outcome } from "kopf-ts";
import { publishing } from "../shared/cloudevents.ts";
import { requiring } from "../shared/enqueue.ts";
import { hasLabels } from "../shared/labels.ts";
import {
  adapters,
  agentSessions,
  environmentChecks,
  evaluations,
  evolutionGenerations,
  modelServers,
  trainingRuns,
} from "../shared/resources.ts";
import type { Services } from "../shared/services.ts";
import { storingTasks } from "../shared/task-set.ts";
import { eventsOf } from "./cloudevents.ts";
import { decide, type Store } from "./decide.ts";
import { observe } from "./observe.ts";
import { tracking } from "./tracking.ts";

async function reconcile(generation: EvolutionGeneration, context: Context, services: Services): Promise<Outcome> {
  const world = await observe(generation, context, services);
  const now = context.clock.now();
  return publishing(decide(world, storing(generation, services), now), eventsOf(generation), services.events, now);
}

/** Evidence is stored beside the adapter that it is about. */
function storing(generation: EvolutionGeneration, services: Services): Store {
  const { namespace } = generation.metadata;
  return {
    tasks: storingTasks(namespace, services),
    track: tracking(generation, services),
    evidence: (repository, evidence) => storeEvidence(services.registry(namespace, repository, ["pull", "push"]), repository, evidence),
  };
}

/** Watches its evaluations, runs, server, requirements, population, children, and its chain's first generation. */
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

/** Whether a generation that hasn't begun needs the tasks of this ConfigMap. */
const beginsWith = ({ spec, status }: EvolutionGeneration, configMap: string) =>
  !status?.startTime && [spec.fitness, spec.promotion].some(({ taskSet }) => taskSet.configMap?.name === configMap);

/** Whether the adapter may become a member of an unfrozen population, or a child. */
function concerns({ spec, status }: EvolutionGeneration, adapter: KubeObject): boolean {
  if (!status?.startTime) return hasLabels(adapter, spec.population.matchLabels) || adapter.metadata.name === spec.former?.promoted;
  return status.children?.some(({ run, state }) => state === "Training" && adapter.metadata.labels?.[label.run] === run) ?? false;
}
