import type { AgentSession } from "@rune/crds/agent-session";
import { label } from "@rune/crds/common";
import type { Context, Manager, Outcome } from "kopf-ts";
import type { Services } from "../context.ts";
import { registerEpochKind } from "../epoch-controller.ts";
import { repositoryOf } from "../names.ts";
import { agentSessions } from "../resources.ts";
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

export function register(manager: Manager, services: Services): void {
  registerEpochKind(manager, services, {
    name: "agent-session",
    resource: agentSessions,
    ownerLabel: label.session,
    notice: "session",
    uses: (session, server) => session.spec.serverRef.name === server && !session.status?.outcome,
    reconcile: (session, context) => reconcile(session, context, services),
  });
}
