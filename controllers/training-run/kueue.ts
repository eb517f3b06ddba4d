import type { TrainingRun } from "@rune/crds/kinds/training-run";
import { type DynamicObject, type Outcome, waiting } from "kopf-ts";
import { hasEnded } from "../epochs/worker.ts";
import { remainingSeconds } from "./attempts.ts";
import { RunReason } from "./reasons.ts";

/*
 * Kueue admits a Job by setting `spec.suspend` to false, and evicts it by setting it back. A Job's own deadline
 * restarts with each admission, so the operator enforces the run's.
 */

/** Time for a running Job to end after the run's deadline: the trainer's grace period plus Kubernetes' overhead. */
const spareSeconds = 90;

/** Whether the Job of the newest attempt waits in the queue that the run names. */
export const isQueued = (run: TrainingRun, job: DynamicObject | undefined): boolean =>
  run.spec.queueName !== undefined && job?.spec?.suspend === true;

export function queued(run: TrainingRun, now: Date): Outcome {
  const { queueName } = run.spec;
  const message = `attempt ${run.status?.attempts?.length ?? 1} waits until Kueue admits it in the LocalQueue ${queueName}; \`kubectl get workloads\` says what for, and spec.deadlineSeconds go on counting`;
  return waiting(RunReason.Queued, message, Math.max(1, remainingSeconds(run, now)));
}

/** Seconds until the operator ends an attempt whose Job has not ended. */
export const overdueIn = (run: TrainingRun, job: DynamicObject, now: Date): number =>
  remainingSeconds(run, now) + (job.spec?.suspend ? 0 : spareSeconds);

/** Message for an attempt whose time was over before its Job had ended. */
export function overdueWords(run: TrainingRun, job: DynamicObject): string {
  const where = isQueued(run, job) ? `while it waited in the LocalQueue ${run.spec.queueName}` : "before its Job had ended";
  return `spec.deadlineSeconds (${run.spec.deadlineSeconds} s) were over ${where}`;
}

/** Whether an admitted Job's pod may still lack its credentials: they are minted at admission, and it needs them. */
export function awaitsCredentials(run: TrainingRun, job: DynamicObject | undefined, pods: readonly DynamicObject[]): boolean {
  if (!run.spec.queueName || !job || job.spec?.suspend || hasEnded(job)) return false;
  return pods.every(({ status }) => (status?.phase ?? "Pending") === "Pending");
}
