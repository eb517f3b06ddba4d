import type { AgentSession } from "@rune/crds/kinds/agent-session";
import { label } from "@rune/crds/words/labels";
import type { Context, Manager, Outcome } from "kopf-ts";
import { untilDeadline } from "../epochs/epoch.ts";
import { registerEpochKind } from "../epochs/epoch-controller.ts";
import { repositoryOf } from "../shared/names.ts";
import { agentSessions } from "../shared/resources.ts";
import type { Services } from "../shared/services.ts";
import { decide, type Seal } from "./decide.ts";
import { deadlineOf } from "./ending.ts";
import { trajectoryArtifact } from "./log.ts";
import { observe } from "./observe.ts";

async function reconcile(session: AgentSession, context: Context, services: Services): Promise<Outcome> {
  const world = await observe(session, context, services);
  const { namespace } = session.metadata;
  const repository = repositoryOf.trajectories(namespace);
  const now = context.clock.now();
  const seal: Seal = async (trajectory) =>
    void (await services.registry(namespace, repository, ["pull", "push"]).push(trajectoryArtifact(trajectory, repository)));
  const outcome = decide(world, services.config, seal, now).deleting(...world.leftovers);
  return untilDeadline(outcome, session, deadlineOf(session), now);
}

export function register(manager: Manager, services: Services): void {
  registerEpochKind(manager, services, {
    name: "agent-session",
    resource: agentSessions,
    ownerLabel: label.session,
    notice: "session",
    uses: (session, server) => session.spec.serverRef.name === server && !session.status?.outcome,
    configMapsOf: ({ spec }) => [spec.sandbox.libraryConfigMap],
    reconcile: (session, context) => reconcile(session, context, services),
  });
}
