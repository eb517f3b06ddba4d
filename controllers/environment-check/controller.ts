import type { EnvironmentCheck } from "@rune/crds/kinds/environment-check";
import { label } from "@rune/crds/words/labels";
import { type Context, jobs, type KubeObject, type Manager, type ObjectKey, type Outcome, pods } from "kopf-ts";
import { labelled, requiring } from "../shared/enqueue.ts";
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
import { decide } from "./decide.ts";
import { observe } from "./observe.ts";

async function reconcile(check: EnvironmentCheck, context: Context, services: Services): Promise<Outcome> {
  const world = await observe(check, context, services);
  return decide(world, services.config, context.clock.now());
}

/** Reconciles on changes of its Jobs and their pods, its server and the adapters needed there, and its requirements. */
export function register(manager: Manager, services: Services): void {
  const required = requiring(manager, environmentChecks);
  const using = (server: KubeObject): ObjectKey[] =>
    manager
      .cache(environmentChecks)
      .list({ namespace: server.metadata.namespace })
      .filter(({ spec }) => spec.server.serverRef?.name === server.metadata.name)
      .map(({ metadata }) => metadata);
  manager
    .controller("environment-check")
    .for(environmentChecks)
    .owns(jobs)
    .watches(pods, labelled(label.check))
    .watches(modelServers, (server) => [...using(server), ...labelled(label.check)(server), ...required(server)])
    .watches(adapters, (adapter) => [...labelled(label.check)(adapter), ...required(adapter)])
    .watches(trainingRuns, required)
    .watches(agentSessions, required)
    .watches(evaluations, required)
    .watches(environmentChecks, required)
    .watches(evolutionGenerations, required)
    .withOptions({ maxConcurrentReconciles: 4, reportFailures: true })
    .complete((check, context) => reconcile(check, context, services));
}
