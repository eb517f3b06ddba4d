import type { AgentSession } from "@rune/crds/kinds/agent-session";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import { ConditionType } from "@rune/crds/words/conditions";
import { type CacheReader, getCondition, isTerminal } from "kopf-ts";
import type { AdmissionQueue } from "./admission.ts";
import { SessionReason } from "./reasons.ts";

/** Sessions by their server, except those that have ended or are queued: what they wait for enqueues them. */
const byServer = (session: AgentSession) => (isTerminal(session) || waitsInLine(session) ? undefined : serverKey(session));

/** Sessions that wait for an adapter to be loaded, by server and adapter. */
const byLoadingAdapter = (session: AgentSession) =>
  !isTerminal(session) && reasonOf(session) === SessionReason.AdapterLoading
    ? `${serverKey(session)}/${session.status?.adapter?.name}`
    : undefined;

/**
 * The sessions that a change of a server concerns: those that work there or look for it, those that wait for an adapter
 * in its status, and of those that wait for a place as many as there are places.
 */
export function enqueuedByServer(
  server: ModelServer,
  sessions: Pick<CacheReader<AgentSession>, "byIndex">,
  queue: AdmissionQueue,
): AgentSession[] {
  const key = `${server.metadata.namespace}/${server.metadata.name}`;
  const adapters = server.status?.adapters ?? [];
  return [
    ...sessions.byIndex(byServer, key),
    ...adapters.flatMap(({ name }) => sessions.byIndex(byLoadingAdapter, `${key}/${name}`)),
    ...queue.next(server),
  ];
}

const serverKey = ({ metadata, spec }: AgentSession) => `${metadata.namespace}/${spec.serverRef.name}`;

const reasonOf = (session: AgentSession) => getCondition(session, ConditionType.Ready)?.reason;

function waitsInLine(session: AgentSession): boolean {
  const reason = reasonOf(session);
  return reason === SessionReason.ServerBusy || reason === SessionReason.AdapterLoading;
}
