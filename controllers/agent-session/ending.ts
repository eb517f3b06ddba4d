import type { AgentSession } from "@rune/crds/agent-session";
import { SessionReason } from "./reasons.ts";
import type { AgentState, LogState, World } from "./world.ts";

/** Lost epochs after which something else than bad luck is at work. */
const longestEpoch = 20;

export function deadlineOf(session: AgentSession): Date {
  return new Date(Date.parse(session.status?.startTime ?? session.metadata.creationTimestamp) + session.spec.deadlineSeconds * 1000);
}

/** How the work ended: as the log says; else because its time is over, or because no agent could fare better. Undefined while it goes on. */
export function endingOf(session: AgentSession, agent: AgentState, log: LogState, now: Date): World["ending"] {
  if (!session.status?.startTime) return undefined;
  if ("summary" in log && log.summary.ended) {
    const { outcome, message } = log.summary.ended;
    return { outcome, reason: outcome, message };
  }
  if (agent.state === "Ended" && agent.permanent) return { outcome: "Aborted", reason: agent.reason, message: agent.message };
  if (agent.state === "Ended" && (session.status.epoch ?? 0) >= longestEpoch) {
    return { outcome: "Aborted", reason: SessionReason.EpochsExhausted, message: `${longestEpoch} agents in a row were lost; the last one: ${agent.message}` };
  }
  if (now >= deadlineOf(session)) return { outcome: "DeadlineExceeded", reason: SessionReason.DeadlineExceeded, message: `spec.deadlineSeconds (${session.spec.deadlineSeconds} s) are over` };
  return undefined;
}
