import { parseJSON } from "@rune/clients/http/json";
import { exit, permanentExits } from "@rune/crds/contracts/pod";
import { type TrainerResult, trainerResult } from "@rune/crds/contracts/trainer";
import { mostAttempts, type TrainingRun } from "@rune/crds/kinds/training-run";
import { JobCondition, PodCondition } from "@rune/crds/words/conditions";
import type { DynamicObject } from "kopf-ts";
import { hasEnded, mayStillWrite } from "../epochs/worker.ts";
import { endOf, isOutlived } from "../pods/main-container.ts";
import { podsOf } from "../pods/problems.ts";
import { Reason as Shared } from "../shared/reasons.ts";
import { reportedFailure } from "../shared/termination-message.ts";
import { RunReason as Reason } from "./reasons.ts";

/** The container that runs the trainer. */
export const container = "trainer";

export type Attempt = NonNullable<NonNullable<TrainingRun["status"]>["attempts"]>[number];

/** State of one attempt, from its Job and pod. Silent: it succeeded, and only the registry shows with which result. */
export type AttemptState =
  | { state: "Missing" }
  | { state: "Running" }
  | { state: "Succeeded"; result: TrainerResult }
  | { state: "Silent"; message: string }
  | { state: "Ended"; attempt: Pick<Attempt, "result" | "reason" | "message" | "exitCode"> };

export function attemptState(job: DynamicObject | undefined, pods: readonly DynamicObject[], now: Date): AttemptState {
  if (!job) return { state: "Missing" };
  const pod = podsOf(job, pods)[0];
  if (!hasEnded(job) && !(pod && (isOutlived(pod, container) || isAbandoned(pod, now)))) return { state: "Running" };
  // What else was in the pod may have failed its Job; the trainer's own ending counts.
  if (conditionOf(job, JobCondition.Complete) || (pod && endOf(pod, container)?.exitCode === exit.done)) return succeeded(pod);
  return { state: "Ended", attempt: classify(pod, conditionOf(job, JobCondition.Failed)) };
}

/** The Job of an attempt whose trainer has ended, where a container that isn't ours keeps it running. */
export function lingeringJob(job: DynamicObject | undefined, pods: readonly DynamicObject[]): DynamicObject[] {
  return job && !hasEnded(job) && podsOf(job, pods).some((pod) => isOutlived(pod, container)) ? [job] : [];
}

/** The Job of an attempt that ended at the run's deadline: its deletion may have been lost, and it would still be admitted or train on. */
export function overdueJob(last: Attempt | undefined, job: DynamicObject | undefined): DynamicObject[] {
  return last?.reason === Shared.DeadlineExceeded && job && !hasEnded(job) && !job.metadata.deletionTimestamp ? [job] : [];
}

function succeeded(pod: DynamicObject | undefined): AttemptState {
  const message = pod ? endOf(pod, container)?.message : undefined;
  const parsed = trainerResult.safeParse(parseJSON(message));
  if (parsed.success) return { state: "Succeeded", result: parsed.data };
  return { state: "Silent", message: "the trainer succeeded, but its result was lost with its pod" };
}

/** Why a Job failed. Only Kubernetes reports disruptions, never an exit code; the trainer's own reason is kept. */
export function classify(
  pod: DynamicObject | undefined,
  jobFailure: DynamicObject | undefined,
): Pick<Attempt, "result" | "reason" | "message" | "exitCode"> {
  if (!pod) {
    // The only rule of the Job's podFailurePolicy is a disruption; it shows it even if the pod was deleted before it
    // was seen.
    if (jobFailure?.reason === "PodFailurePolicy") return { result: "Disrupted", reason: Reason.Disrupted, message: jobFailure.message };
    const deadline = jobFailure?.reason === Shared.DeadlineExceeded;
    return {
      result: "Failed",
      reason: deadline ? Shared.DeadlineExceeded : Reason.PodLost,
      message: jobFailure?.message ?? "the pod vanished before it could say how it ended",
    };
  }
  const disruption = conditionOf(pod, PodCondition.DisruptionTarget);
  const stage = endOf(pod, "stage-model");
  const trainer = endOf(pod, container);
  const terminated = trainer ?? (stage && stage.exitCode !== 0 ? stage : undefined);
  const exitCode = terminated?.exitCode;
  if (disruption) return { result: "Disrupted", reason: disruption.reason, message: disruption.message, exitCode };
  if (!terminated)
    return {
      result: "Failed",
      reason: pod.status?.reason ?? Reason.PodLost,
      message: pod.status?.message ?? "the pod failed before its container ended",
    };
  if (terminated.reason === "OOMKilled") {
    return {
      result: "Failed",
      reason: Reason.OutOfMemory,
      exitCode,
      message: trainer
        ? "the trainer needed more memory than spec.resources.memory allows; raise it, or lower sft.batchSize or sft.maxLength"
        : "staging the base model needed more memory than the chart's helpers.stager allows; raise its limit",
    };
  }
  const reported = reportedFailure(terminated.message);
  const result = permanentExits.includes(terminated.exitCode) ? ("Refused" as const) : ("Failed" as const);
  if (reported) return { result, exitCode, ...reported };
  return {
    result,
    exitCode,
    reason: terminated.exitCode === exit.terminated ? Reason.Terminated : Reason.NonZeroExit,
    message: `${trainer ? "the trainer" : "staging the base model"} ended with exit code ${terminated.exitCode}`,
  };
}

/** Whether the retries are used up, given the attempts that ended. */
function budget(
  run: TrainingRun,
  attempts: readonly Attempt[],
): { exhausted: false } | { exhausted: true; reason: string; message: string } {
  const last = attempts.at(-1);
  if (last?.result === "Refused")
    return { exhausted: true, reason: last.reason ?? Reason.NonZeroExit, message: last.message ?? "the trainer refused its input" };
  const failures = attempts.filter((attempt) => attempt.result === "Failed" && !wasUnavailable(attempt)).length;
  const disruptions = attempts.filter((attempt) => attempt.result === "Disrupted").length;
  const detail = last?.message ? `; the last one: ${last.message}` : "";
  if (failures > run.spec.retries.failures)
    return {
      exhausted: true,
      reason: Reason.RetriesExhausted,
      message: `${failures} attempts failed, spec.retries.failures allows ${run.spec.retries.failures}${detail}`,
    };
  if (disruptions > run.spec.retries.disruptions)
    return {
      exhausted: true,
      reason: Reason.RetriesExhausted,
      message: `${disruptions} attempts were disrupted, spec.retries.disruptions allows ${run.spec.retries.disruptions}${detail}`,
    };
  if (attempts.length >= mostAttempts)
    return {
      exhausted: true,
      reason: Reason.RetriesExhausted,
      message: `${mostAttempts} attempts ended, and a run makes no more${detail}; create a new run once that is mended`,
    };
  return { exhausted: false };
}

/** Why no further attempt may follow, or null; the deadline runs from the first attempt. */
export function outOfAttempts(run: TrainingRun, now: Date): { reason: string; message: string } | null {
  const attempts = run.status?.attempts ?? [];
  if (remainingSeconds(run, now) <= 0 && attempts.at(-1)?.result !== "Refused")
    return {
      reason: Shared.DeadlineExceeded,
      message: `spec.deadlineSeconds (${run.spec.deadlineSeconds} s) are over after ${attempts.length} attempts; create a new run with a longer deadline`,
    };
  const spent = budget(run, attempts);
  return spent.exhausted ? spent : null;
}

/** Whether the run would fail although its last attempt may have stored an artifact, which is checked first. */
export function maySurvive(run: TrainingRun, now: Date): boolean {
  const last = run.status?.attempts?.at(-1);
  return (last?.result === "Failed" || last?.result === "Disrupted") && outOfAttempts(run, now) !== null;
}

/** True if the registry or hub was unreachable; such attempts don't count as failures. */
const wasUnavailable = (attempt: Attempt) => attempt.result === "Failed" && attempt.exitCode === exit.unavailable;

const firstPauseSeconds = 10;
/** With this pause the allowed number of attempts covers an outage of a day. */
const longestPauseSeconds = 900;

/** When the next attempt may start: shortly after a failure, with twice the pause after each further outage. */
export function nextStart(attempts: readonly Attempt[]): Date {
  const last = attempts.at(-1);
  if (last?.result !== "Failed" || !last.endTime) return new Date(0);
  const outages = attempts.length - 1 - attempts.findLastIndex((attempt) => !wasUnavailable(attempt));
  const pause = Math.min(longestPauseSeconds, firstPauseSeconds * 2 ** Math.max(0, outages - 1));
  return new Date(Date.parse(last.endTime) + pause * 1000);
}

/** Seconds left of `deadlineSeconds`, which count from the start of the first attempt. */
export function remainingSeconds(run: TrainingRun, now: Date): number {
  const start = run.status?.attempts?.[0]?.startTime;
  return run.spec.deadlineSeconds - (start ? (now.getTime() - new Date(start).getTime()) / 1000 : 0);
}

/** On an unreachable node a disrupted pod never reaches a final phase, so it counts as ended. */
function isAbandoned(pod: DynamicObject, now: Date): boolean {
  return (
    conditionOf(pod, PodCondition.DisruptionTarget) !== undefined &&
    pod.status?.phase !== "Succeeded" &&
    !mayStillWrite([pod], container, now)
  );
}

function conditionOf(object: DynamicObject, type: string): DynamicObject | undefined {
  return object.status?.conditions?.find((c: { type: string; status: string }) => c.type === type && c.status === "True");
}
