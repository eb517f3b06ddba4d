import { canonicalJSON } from "@rune/clients/registry/digest";
import { lastLine } from "@rune/clients/runner/last-line";
import { mediaType } from "@rune/crds/contracts/artifact";
import type { LogRecord } from "@rune/crds/contracts/session-log";
import type { Trajectory } from "@rune/crds/contracts/trajectory";
import type { Isolation } from "@rune/crds/fields/isolation";
import type { AgentSession } from "@rune/crds/kinds/agent-session";

const longestError = 300;

type Outcome = Trajectory["outcome"];

/** Summary of a session's log so far. */
export interface LogSummary {
  rounds: number;
  programs: number;
  /** What the newest program that failed raised, in one line. */
  lastError?: string;
  isolation?: Isolation;
  ended?: { outcome: Outcome; message: string };
}

export function summarize(records: readonly LogRecord[]): LogSummary {
  const isolated = records.findLast((record) => record.type === "isolation");
  const failed = records.findLast((record) => record.type === "executed" && !record.execution.passed);
  const lastError = failed?.type === "executed" ? lastLine(failed.execution.error, longestError) : "";
  const ended = records.find((record) => record.type === "ended");
  return {
    rounds: records.filter((record) => record.type === "reflected").length,
    programs: records.filter((record) => record.type === "executed").length,
    ...(lastError && { lastError }),
    ...(isolated && { isolation: { ...isolated.isolation, time: isolated.time } }),
    ...(ended && { ended: { outcome: ended.outcome, message: ended.message } }),
  };
}

/** The sealed trajectory of an ended session. A pure function of the log, so sealing again gives the same digest. */
export function trajectoryOf(session: AgentSession, records: readonly LogRecord[], outcome: Outcome): Trajectory {
  const adapter = session.status?.adapter;
  return {
    schema: "rune.dev/trajectory/v1",
    session: { namespace: session.metadata.namespace, name: session.metadata.name, uid: session.metadata.uid },
    task: session.spec.task,
    scope: session.spec.scope,
    ...(adapter?.name && adapter.digest && { adapter: { name: adapter.name, digest: adapter.digest } }),
    outcome,
    records: [...records],
  };
}

/** The artifact of a trajectory, as the registry client pushes it. */
export function trajectoryArtifact(trajectory: Trajectory, repository: string) {
  return {
    repository,
    artifactType: mediaType.trajectory,
    config: {},
    configMediaType: mediaType.empty,
    files: [{ title: "trajectory.json", mediaType: mediaType.trajectory, bytes: canonicalJSON(trajectory) }],
    tag: `session-${trajectory.session.uid}`,
  };
}
