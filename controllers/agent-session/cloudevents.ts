import type { CloudEvent } from "@rune/crds/contracts/cloudevents";
import type { AgentSession } from "@rune/crds/kinds/agent-session";
import { endOf, eventAbout, objectOfEvent } from "../shared/cloudevents.ts";

/** What is told of a session that has ended: how, and where its trajectory is; no word of its task, its programs or its notes. */
export function eventsOf(session: AgentSession): CloudEvent[] {
  const end = endOf(session);
  if (!end) return [];
  const { outcome, adapter, rounds = 0, programs = 0, trajectory } = session.status ?? {};
  const data = {
    object: objectOfEvent(session),
    result: end.result,
    reason: end.reason,
    ...(outcome && { outcome }),
    ...(adapter?.name && adapter.digest && { adapter: { name: adapter.name, digest: adapter.digest } }),
    rounds,
    programs,
    ...(trajectory && { trajectory }),
  };
  return [{ ...eventAbout(session, "ended", end.time), type: "dev.rune.agentsession.ended.v1", data }];
}
