import { failure } from "@rune/crds/artifact";
import { exit, permanentExits } from "@rune/crds/job-spec";
import type { DynamicObject } from "kopf-ts";
import { Reason } from "./reasons.ts";

/** How the agent or evaluator of the present epoch stands. */
export type WorkerState =
  | { state: "Absent" }
  | { state: "Running" }
  /** It won't be started again in this epoch. `permanent`: no other epoch would fare better. `output`: its termination message, where it ended well. */
  | { state: "Ended"; permanent: boolean; reason: string; message: string; output?: unknown };

/** Reads how a worker's Job stands from the Job and its pod. */
export function workerState(job: DynamicObject | undefined, pods: readonly DynamicObject[]): WorkerState {
  if (!job) return { state: "Absent" };
  const over = job.status?.conditions?.some(
    (c: { type: string; status: string }) => (c.type === "Complete" || c.type === "Failed") && c.status === "True",
  );
  if (!over) return { state: "Running" };
  const pod = pods.find((candidate) => candidate.metadata.ownerReferences?.some((owner) => owner.uid === job.metadata.uid));
  const terminated = pod?.status?.containerStatuses?.[0]?.state?.terminated;
  const exitCode: number | undefined = terminated?.exitCode;
  const output = parseJSON(terminated?.message);
  const told = failure.safeParse(output);
  const words = told.success
    ? told.data.failure
    : { reason: Reason.EpochLost, message: exitCode === undefined ? "its pod vanished" : `it ended with exit code ${exitCode}` };
  return {
    state: "Ended",
    permanent: exitCode !== undefined && permanentExits.includes(exitCode),
    ...words,
    ...(exitCode === exit.done && { output }),
  };
}

function parseJSON(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
}
