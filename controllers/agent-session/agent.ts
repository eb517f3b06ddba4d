import { failure } from "@rune/crds/artifact";
import { permanentExits } from "@rune/crds/job-spec";
import type { DynamicObject } from "kopf-ts";
import type { AgentState } from "./world.ts";
import { SessionReason } from "./reasons.ts";

/** Reads how the agent's Job stands from the Job and its pod. */
export function agentState(job: DynamicObject | undefined, pods: readonly DynamicObject[]): AgentState {
  if (!job) return { state: "Absent" };
  const over = job.status?.conditions?.some((c: { type: string; status: string }) => (c.type === "Complete" || c.type === "Failed") && c.status === "True");
  if (!over) return { state: "Running" };
  const pod = pods.find((candidate) => candidate.metadata.ownerReferences?.some((owner) => owner.uid === job.metadata.uid));
  const terminated = pod?.status?.containerStatuses?.[0]?.state?.terminated;
  const exitCode: number | undefined = terminated?.exitCode;
  const told = failure.safeParse(parseJSON(terminated?.message));
  const words = told.success ? told.data.failure : { reason: SessionReason.EpochLost, message: exitCode === undefined ? "the agent's pod vanished" : `the agent ended with exit code ${exitCode}` };
  return { state: "Ended", permanent: exitCode !== undefined && permanentExits.includes(exitCode), ...words };
}

function parseJSON(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
}
