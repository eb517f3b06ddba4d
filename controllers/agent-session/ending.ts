import type { AgentSession } from "@rune/crds/kinds/agent-session";
import { exhausted } from "../epochs/epoch.ts";
import type { WorkerState } from "../epochs/worker.ts";
import { Reason } from "../shared/reasons.ts";
import { SessionReason } from "./reasons.ts";
import type { LogState, World } from "./world.ts";

export function deadlineOf(session: AgentSession): Date {
  return new Date(Date.parse(session.status?.startTime ?? session.metadata.creationTimestamp) + session.spec.deadlineSeconds * 1000);
}

/**
 * How the work ended: from the log, by the deadline, or because no new epoch would do better. Undefined while it runs.
 */
export function endingOf(session: AgentSession, worker: WorkerState, log: LogState, now: Date): World["ending"] {
  if (!session.status?.startTime) return undefined;
  if ("summary" in log && log.summary.ended) {
    const { outcome, message } = log.summary.ended;
    return { outcome, reason: outcome, message };
  }
  if (worker.state === "Ended" && worker.permanent) return { outcome: "Aborted", reason: worker.reason, message: worker.message };
  const hopeless = "summary" in log ? exhausted(session, log.summary.programs) : null;
  if (hopeless) return { outcome: "Aborted", reason: SessionReason.EpochsExhausted, message: hopeless };
  if (now >= deadlineOf(session))
    return {
      outcome: "DeadlineExceeded",
      reason: Reason.DeadlineExceeded,
      message: `spec.deadlineSeconds (${session.spec.deadlineSeconds} s) are over`,
    };
  return undefined;
}
