import type { AgentSession } from "@rune/crds/agent-session";
import { label } from "@rune/crds/common";
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
import { repositoryOf } from "../names.ts";
import { adapters, agentSessions, evaluations, modelServers, trainingRuns } from "../resources.ts";
import { indexByUID, labelled, requiring, wakeByNotice } from "../wake.ts";
import { decide } from "./decide.ts";
import { trajectoryArtifact } from "./log.ts";
import { observe } from "./observe.ts";

async function reconcile(session: AgentSession, context: Context, services: Services): Promise<Outcome> {
  const world = await observe(session, context, services);
  const repository = repositoryOf.trajectories(session.metadata.namespace);
  return decide(
    world,
    services.config,
    async (trajectory) => void (await services.registry(repository, ["pull", "push"]).push(trajectoryArtifact(trajectory, repository))),
    context.clock.now(),
  );
}

/** Wakes on its sandbox, its agent's Job and pod, its server, what it requires, and every append to its log. */
export function register(manager: Manager, services: Services): void {
  indexByUID(manager, agentSessions);
  manager.cache(configMaps);
  manager.cache(serviceResource);
  const required = requiring(manager, agentSessions);
  const controller = manager
    .controller("agent-session")
    .for(agentSessions)
    .owns(pods)
    .owns(jobs)
    .watches(pods, labelled(label.session))
    .watches(modelServers, (server) => [...served(manager, server), ...required(server)])
    .watches(adapters, required)
    .watches(trainingRuns, required)
    .watches(evaluations, required)
    .withOptions({ maxConcurrentReconciles: 8 })
    .complete((session, context) => reconcile(session, context, services));
  wakeByNotice(manager, controller, services, "session");
}

/** Sessions that work with this server and haven't started. */
function served(manager: Manager, server: KubeObject): ObjectKey[] {
  return manager
    .cache(agentSessions)
    .list({ namespace: server.metadata.namespace })
    .filter((session) => session.spec.serverRef.name === server.metadata.name && !session.status?.outcome)
    .map((session) => session.metadata);
}
