import type { AgentSession } from "@rune/crds/kinds/agent-session";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import { isTerminal } from "kopf-ts";
import { adapterOn, isServed } from "../shared/serving.ts";

/** Whether it is a session's turn, and what keeps it waiting otherwise. */
export type Admission = { mine: true } | { mine: false; working: number; limit: number; before: number };

/**
 * A server decodes so many sequences at once; sessions beyond that would only wait in its queue, each holding a sandbox,
 * and on a full cluster sandboxes would leave no room for the agents that they wait for. Oldest first.
 */
export function admissionOf(session: AgentSession, server: ModelServer | undefined, all: readonly AgentSession[]): Admission {
  if (!server || session.status?.epoch) return { mine: true };
  const others = all.filter(
    (other) =>
      other.spec.serverRef.name === server.metadata.name &&
      other.metadata.uid !== session.metadata.uid &&
      !isTerminal(other) &&
      !other.spec.suspend,
  );
  const working = others.filter((other) => other.status?.epoch).length;
  const before = others.filter((other) => !other.status?.epoch && canBegin(other, server) && byAge(other, session) < 0).length;
  const limit = Math.max(1, Math.floor((server.spec.maxSequences * server.spec.replicas) / session.spec.candidates));
  return working + before < limit ? { mine: true } : { mine: false, working, limit, before };
}

/** Who waits for an adapter to be loaded keeps nobody else waiting. */
function canBegin({ status }: AgentSession, server: ModelServer): boolean {
  const wanted = status?.adapter?.name;
  return status?.adapter !== undefined && (!wanted || isServed(adapterOn(server, wanted)));
}

const byAge = (a: AgentSession, b: AgentSession) =>
  a.metadata.creationTimestamp.localeCompare(b.metadata.creationTimestamp) || a.metadata.name.localeCompare(b.metadata.name);
