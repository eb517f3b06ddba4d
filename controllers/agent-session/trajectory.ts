import { canonicalJSON } from "@rune/clients/registry/digest";
import { mediaType } from "@rune/crds/contracts/artifact";
import type { LogRecord } from "@rune/crds/contracts/session-log";
import type { Trajectory } from "@rune/crds/contracts/trajectory";
import type { AgentSession } from "@rune/crds/kinds/agent-session";

/** The sealed trajectory of an ended session. A pure function of the log, so sealing again gives the same digest. */
export function trajectoryOf(session: AgentSession, records: readonly LogRecord[], outcome: Trajectory["outcome"]): Trajectory {
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
