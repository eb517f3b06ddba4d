import { exit } from "@rune/crds/contracts/pod";
import { JobCondition, PodCondition } from "@rune/crds/words/conditions";
import type { DynamicObject } from "kopf-ts";
import { type SeenWorker, workerState } from "../epochs/worker.ts";
import { endOf } from "../pods/main-container.ts";
import { podsOf } from "../pods/problems.ts";
import type { Blocker } from "../shared/check.ts";
import { reportedFailure } from "../shared/termination-message.ts";

/** Container of a Job's pod that runs the program. */
export const container = "environment";

/** State of one Job of a check. */
export type JobState =
  | { readonly state: "Absent" }
  /** `since`: when its Job was created. */
  | { readonly state: "Running"; readonly trouble: Blocker | null; readonly since: string; readonly job: DynamicObject }
  | { readonly state: "Ended"; readonly output: unknown }
  /** It left no valid result. `again`: because of a disruption or outage, so a new Job may succeed. */
  | { readonly state: "Lost"; readonly again: boolean; readonly message: string; readonly job: DynamicObject };

export function jobState(seen: SeenWorker, now: Date): JobState {
  const { job } = seen;
  const worker = workerState(seen, container, now);
  if (!job || worker.state === "Absent") return { state: "Absent" };
  const since = job.metadata.creationTimestamp ?? "";
  if (worker.state === "Running") return { state: "Running", trouble: worker.trouble ?? null, since, job };
  // A Job deleted for a retry may still be terminating, and a pod may be seen a moment later than its Job's end.
  if (job.metadata.deletionTimestamp || (podsOf(job, seen.pods).length === 0 && hasJustEnded(job, now)))
    return { state: "Running", trouble: null, since, job };
  if (worker.output !== undefined) return { state: "Ended", output: worker.output };
  const [pod] = podsOf(job, seen.pods);
  return { state: "Lost", again: isNobodysFailure(job, pod), message: causeOf(pod, worker.message), job };
}

const lagSeconds = 30;

function hasJustEnded({ status }: DynamicObject, now: Date): boolean {
  const conditions: { type: string; status: string; lastTransitionTime?: string }[] = status?.conditions ?? [];
  const end = conditions.find(
    (each) => (each.type === JobCondition.Complete || each.type === JobCondition.Failed) && each.status === "True",
  )?.lastTransitionTime;
  return end !== undefined && now.getTime() - Date.parse(end) < lagSeconds * 1000;
}

/** Drained, evicted, vanished, or a service that it needs was unavailable. */
function isNobodysFailure(job: DynamicObject, pod: DynamicObject | undefined): boolean {
  const conditions: { type: string; status: string; reason?: string }[] = [
    ...(pod?.status?.conditions ?? []),
    ...(job.status?.conditions ?? []),
  ];
  const disrupted = conditions.some(
    ({ type, status, reason }) => status === "True" && (type === PodCondition.DisruptionTarget || reason === "PodFailurePolicy"),
  );
  const codes = pod ? [endOf(pod, "stage-model")?.exitCode, endOf(pod, container)?.exitCode] : [];
  return disrupted || !pod || codes.includes(exit.unavailable);
}

/** Why the Job left no result; the stager's message if the base couldn't be staged. */
function causeOf(pod: DynamicObject | undefined, message: string): string {
  const stage = pod && endOf(pod, "stage-model");
  if (!stage || stage.exitCode === 0) {
    const killed = pod && endOf(pod, container)?.reason === "OOMKilled";
    return killed ? "it needed more memory than it may have; raise spec.resources.memory in a new check" : message;
  }
  return `the base model can't be staged: ${reportedFailure(stage.message)?.message ?? `exit code ${stage.exitCode}`}`;
}
