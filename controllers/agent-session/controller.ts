import type { AgentSession } from "@rune/crds/kinds/agent-session";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import { label } from "@rune/crds/words/labels";
import type { Context, Manager, Outcome } from "kopf-ts";
import { untilDeadline } from "../epochs/epoch.ts";
import { registerEpochKind } from "../epochs/epoch-controller.ts";
import { policyToBind } from "../epochs/sandbox.ts";
import { publishing } from "../shared/cloudevents.ts";
import { repositoryOf } from "../shared/names.ts";
import { agentSessions, modelServers } from "../shared/resources.ts";
import type { Services } from "../shared/services.ts";
import { AdmissionQueue } from "./admission.ts";
import { eventsOf } from "./cloudevents.ts";
import { decide, type Seal } from "./decide.ts";
import { deadlineOf } from "./ending.ts";
import { enqueuedByServer } from "./enqueue.ts";
import { observe } from "./observe.ts";
import { trajectoryArtifact } from "./trajectory.ts";

async function reconcile(session: AgentSession, context: Context, services: Services, queue: AdmissionQueue): Promise<Outcome> {
  const world = await observe(session, context, services, queue);
  const { namespace } = session.metadata;
  const repository = repositoryOf.trajectories(namespace);
  const now = context.clock.now();
  const seal: Seal = async (trajectory) =>
    void (await services.registry(namespace, repository, ["pull", "push"]).push(trajectoryArtifact(trajectory, repository)));
  const policy = policyToBind({ owner: session, caller: "agent" }, world.sandboxPod, context.cache);
  const outcome = decide(world, services.config, seal, now)
    .applying(...policy)
    .deleting(...world.leftovers);
  return publishing(untilDeadline(outcome, session, deadlineOf(session), now), eventsOf(session), services.events, now);
}

/** A place that gets free wakes the session that is next in line for it; what waits in line is looked at no more often than everything is. */
export function register(manager: Manager, services: Services): void {
  const sessions = manager.cache(agentSessions);
  const queue = new AdmissionQueue();
  sessions.onChange((change) => queue.follow(change));
  const nextAt = (namespace: string, name: string) => {
    const server = manager.cache(modelServers).get({ namespace, name });
    return server ? queue.next(server) : [];
  };
  registerEpochKind(manager, services, {
    name: "agent-session",
    resource: agentSessions,
    ownerLabel: label.session,
    notice: "session",
    enqueuedByServer: (server: ModelServer) => enqueuedByServer(server, sessions, queue),
    wokenBySibling: ({ metadata, spec }) => nextAt(metadata.namespace, spec.serverRef.name),
    configMapsOf: ({ spec }) => [spec.sandbox.libraryConfigMap],
    reconcile: (session, context) => reconcile(session, context, services, queue),
  });
}
