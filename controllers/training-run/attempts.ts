import { exit, failure, permanentExits } from "@rune/crds/contracts/pod";
import { type TrainerResult, trainerResult } from "@rune/crds/contracts/trainer";
import { mostAttempts, type TrainingRun } from "@rune/crds/kinds/training-run";
import { JobCondition, PodCondition } from "@rune/crds/words/conditions";
import type { DynamicObject } from "kopf-ts";
import { hasEnded, mayStillWrite } from "../epochs/worker.ts";
import { endOf, isOutlived } from "../pods/main-container.ts";
import { podsOf } from "../pods/problems.ts";
import { Reason as Shared } from "../shared/reasons.ts";
import { RunReason as Reason } from "./reasons.ts";

/** Where the trainer runs in its pod. */
export const container = "trainer";

export type Attempt = NonNullable<NonNullable<TrainingRun["status"]>["attempts"]>[number];

/** How one attempt's Job stands, read from the Job and its pod. Silent: it ended well, and only the registry can say with what. */
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

/** The Job of an attempt whose trainer has ended, where a container that isn't ours keeps it going. */
export function lingeringJob(job: DynamicObject | undefined, pods: readonly DynamicObject[]): DynamicObject[] {
  return job && !hasEnded(job) && podsOf(job, pods).some((pod) => isOutlived(pod, container)) ? [job] : [];
}

function succeeded(pod: DynamicObject | undefined): AttemptState {
  const message = pod ? endOf(pod, container)?.message : undefined;
  const parsed = trainerResult.safeParse(parseJSON(message));
  if (parsed.success) return { state: "Succeeded", result: parsed.data };
  return { state: "Silent", message: "the trainer ended well, but its result was lost with its pod" };
}

/** Why a Job failed. A disruption is what Kubernetes says is one, never an exit code; a known reason is told as the trainer told it. */
export function classify(
  pod: DynamicObject | undefined,
  jobFailure: DynamicObject | undefined,
): Pick<Attempt, "result" | "reason" | "message" | "exitCode"> {
  if (!pod) {
    // The one rule of the Job's podFailurePolicy is a disruption; it is told even where the pod went before anybody looked.
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
      message: "the trainer needed more memory than spec.resources.memory allows; raise it, or lower sft.batchSize or sft.maxLength",
    };
  }
  const told = failure.safeParse(parseJSON(terminated.message));
  const result = permanentExits.includes(terminated.exitCode) ? ("Refused" as const) : ("Failed" as const);
  if (told.success) return { result, exitCode, ...told.data.failure };
  return {
    result,
    exitCode,
    reason: terminated.exitCode === exit.terminated ? Reason.Terminated : Reason.NonZeroExit,
    message: `${trainer ? "the trainer" : "staging the base model"} ended with exit code ${terminated.exitCode}`,
  };
}

/** Whether another attempt may follow, given the ones that ended. */
function budget(
  run: TrainingRun,
  attempts: readonly Attempt[],
): { exhausted: false } | { exhausted: true; reason: string; message: string } {
  const last = attempts.at(-1);
  if (last?.result === "Refused")
    return { exhausted: true, reason: last.reason ?? Reason.NonZeroExit, message: last.message ?? "the trainer refused its input" };
  const failures = attempts.filter((attempt) => attempt.result === "Failed" && !wasUnavailable(attempt)).length;
  const disruptions = attempts.filter((attempt) => attempt.result === "Disrupted").length;
  const told = last?.message ? `; the last one: ${last.message}` : "";
  if (failures > run.spec.retries.failures)
    return {
      exhausted: true,
      reason: Reason.RetriesExhausted,
      message: `${failures} attempts failed, spec.retries.failures allows ${run.spec.retries.failures}${told}`,
    };
  if (disruptions > run.spec.retries.disruptions)
    return {
      exhausted: true,
      reason: Reason.RetriesExhausted,
      message: `${disruptions} attempts were disrupted, spec.retries.disruptions allows ${run.spec.retries.disruptions}${told}`,
    };
  if (attempts.length >= mostAttempts)
    return {
      exhausted: true,
      reason: Reason.RetriesExhausted,
      message: `${mostAttempts} attempts ended, and a run makes no more${told}; create a new run once that is mended`,
    };
  return { exhausted: false };
}

/** Why no attempt may follow those that ended, or null; before the first one no time counts. */
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

/** Whether the run ends, and its last attempt may have stored an artifact before it did: that is asked before the run is told as failed. */
export function maySurvive(run: TrainingRun, now: Date): boolean {
  const last = run.status?.attempts?.at(-1);
  return (last?.result === "Failed" || last?.result === "Disrupted") && outOfAttempts(run, now) !== null;
}

/** Whether something that the attempt needs was away: the registry, the hub. That is nobody's failure, and passes. */
const wasUnavailable = (attempt: Attempt) => attempt.result === "Failed" && attempt.exitCode === exit.unavailable;

const firstPauseSeconds = 10;
/** As many attempts as a run may make are enough for an outage of a day. */
const longestPauseSeconds = 900;

/** When the next attempt may start: a moment after a failure, twice as long after each further one that found something away. */
export function nextStart(attempts: readonly Attempt[]): Date {
  const last = attempts.at(-1);
  if (last?.result !== "Failed" || !last.endTime) return new Date(0);
  const away = attempts.length - 1 - attempts.findLastIndex((attempt) => !wasUnavailable(attempt));
  const pause = Math.min(longestPauseSeconds, firstPauseSeconds * 2 ** Math.max(0, away - 1));
  return new Date(Date.parse(last.endTime) + pause * 1000);
}

/** Seconds that are left of `deadlineSeconds`, which count from the start of the first attempt. */
export function remainingSeconds(run: TrainingRun, now: Date): number {
  const start = run.status?.attempts?.[0]?.startTime;
  return run.spec.deadlineSeconds - (start ? (now.getTime() - new Date(start).getTime()) / 1000 : 0);
}

/** On a node that nobody hears from a disrupted pod never ends, nor does its Job; neither can start another pod. */
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

/** Undefined for what is no JSON. */
export function parseJSON(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
}
