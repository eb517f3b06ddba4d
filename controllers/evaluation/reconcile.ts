import { label } from "@rune/crds/common";
import type { Evaluation } from "@rune/crds/evaluation";
import {
  type Context,
  configMaps,
  jobs,
  type KubeObject,
  type Manager,
  type ObjectKey,
  type Outcome,
  pods,
  services as serviceResource,
} from "kopf-ts";
import type { Services } from "../context.ts";
import { adapters, agentSessions, evaluations, modelServers, trainingRuns } from "../resources.ts";
import { indexByUID, labelled, requiring, wakeByNotice } from "../wake.ts";
import { decide } from "./decide.ts";
import { observe } from "./observe.ts";

async function reconcile(evaluation: Evaluation, context: Context, services: Services): Promise<Outcome> {
  const world = await observe(evaluation, context, services);
  return decide(world, services.config, context.clock.now());
}

/** Wakes on its sandbox, its evaluator's Job and pod, its servers, what it requires, and every append to its log. */
export function register(manager: Manager, services: Services): void {
  indexByUID(manager, evaluations);
  manager.cache(configMaps);
  manager.cache(serviceResource);
  const required = requiring(manager, evaluations);
  const controller = manager
    .controller("evaluation")
    .for(evaluations)
    .owns(pods)
    .owns(jobs)
    .watches(pods, labelled(label.evaluation))
    .watches(modelServers, (server) => [...served(manager, server), ...required(server)])
    .watches(adapters, required)
    .watches(trainingRuns, required)
    .watches(agentSessions, required)
    .complete((evaluation, context) => reconcile(evaluation, context, services));
  wakeByNotice(manager, controller, services, "evaluation");
}

/** Evaluations with an arm on this server. */
function served(manager: Manager, server: KubeObject): ObjectKey[] {
  return manager
    .cache(evaluations)
    .list({ namespace: server.metadata.namespace })
    .filter((evaluation) => evaluation.spec.arms.some((arm) => arm.serverRef.name === server.metadata.name))
    .map((evaluation) => evaluation.metadata);
}
