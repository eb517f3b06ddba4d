import type { CloudEvent } from "@rune/crds/contracts/cloudevents";
import type { AgentSession } from "@rune/crds/kinds/agent-session";
import { endOf, eventAbout, objectOfEvent } from "../shared/cloudevents.ts";

/** The event of a session that has ended: its outcome and its trajectory's address, without its task, programs or notes. */
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
