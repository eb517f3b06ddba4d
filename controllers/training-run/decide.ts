import { methodOf } from "@rune/crds/kinds/methods";
import { longestRemainingSeconds, type TrainingRun } from "@rune/crds/kinds/training-run";
import { ConditionType } from "@rune/crds/words/conditions";
import { TrainerReason } from "@rune/crds/words/trainer-reasons";
import { failed, isTerminal, type Outcome, progressing, timestamp, unchanged, waiting } from "kopf-ts";
import { isResolved } from "../pods/base-model.ts";
import { jobBlocker } from "../pods/problems.ts";
import { blocked, type Check, firstOf, repairSeconds } from "../shared/check.ts";
import type { OperatorConfig } from "../shared/config.ts";
import { jobNameOfRun } from "../shared/names.ts";
import { Reason } from "../shared/reasons.ts";
import { requirementsMet } from "../shared/requires.ts";
import { foreignRepository } from "../shared/tenancy.ts";
import { expire } from "../shared/time-to-live.ts";
import { type Attempt, attemptState, maySurvive, nextStart, outOfAttempts, overdueJob, remainingSeconds } from "./attempts.ts";
import { corpusOf } from "./corpus.ts";
import { endAttempt, endingOf, endSucceeded } from "./ending.ts";
import { freezeInputs, hasOpenInputs, inputsFit, inputsThere } from "./inputs.ts";
import { isQueued, overdueIn, overdueWords, queued } from "./kueue.ts";
import { attemptObjects, attemptSecret } from "./manifests.ts";
import { mostGPUs, outputKindOf } from "./methods.ts";
import { adoptPublishedArtifact, publish, survived } from "./outputs.ts";
import { ranksFit } from "./ranks.ts";
import { RunReason } from "./reasons.ts";
import { resultOf } from "./result.ts";
import { sizeOf, sufficient } from "./sufficiency.ts";
import type { Corpus, World } from "./world.ts";

const retrySeconds = 15;

const baseResolved: Check<World> = ({ base }) =>
  isResolved(base) ? null : { reason: Reason.BaseModelUnavailable, message: base.unresolved, ...(base.missing ? {} : { retrySeconds }) };

const ownRepositories: Check<World> = ({ run: { metadata, spec } }) =>
  foreignRepository(spec.base.oci?.repository, metadata.namespace) ??
  [spec.corpus?.artifact, ...(spec.corpus?.artifacts ?? [])]
    .map((each) => foreignRepository(each?.repository, metadata.namespace))
    .find((blocker) => blocker !== null) ??
  foreignRepository(spec.generate?.hypernetwork.repository, metadata.namespace);

const gpusUsed: Check<World> = ({ run }) => {
  const { gpus = 0 } = run.spec.resources;
  const { most, why } = mostGPUs(run);
  if (gpus <= most) return null;
  return {
    reason: RunReason.TooManyGPUs,
    message: `spec.resources.gpus is ${gpus}, and ${why}: the others would stand idle; ask for ${most} in a new run`,
  };
};

/** Requirements hold a run back only before it begins; they don't interrupt its attempts. */
const mayBegin: Check<World> = (world) => (world.run.status?.attempts ? null : requirementsMet(world));

/** A volume may be overwritten, but inputs were checked against, and checkpoints trained on, the original base. */
const baseUnchanged: Check<World> = ({ run, base }) => {
  const before = run.status?.baseDigest;
  if (!before || !isResolved(base) || base.digest === before) return null;
  return {
    reason: Reason.BaseModelChanged,
    message: `spec.base was ${before} when this run began, and is ${base.digest} now; restore its files, or create a new run`,
  };
};

const checks: Check<World>[] = [
  ownRepositories,
  gpusUsed,
  mayBegin,
  ...inputsThere,
  baseResolved,
  baseUnchanged,
  ...inputsFit,
  ...ranksFit,
];

/** One step per pass: inputs → corpus → attempts → result → Adapters. */
export function decide(world: World, config: OperatorConfig, now: Date): Outcome {
  const { run } = world;
  if (run.metadata.deletionTimestamp) return unchanged();
  if (isTerminal(run)) return expire(run, now, [...world.spentLogins, ...overdueJob(run.status?.attempts?.at(-1), world.job)]);
  if (run.status?.result) return publish(world, run.status.result, now);
  if (run.spec.suspend) return suspend(world, now);
  if (run.status?.attempts?.at(-1)?.result === "Running") return followAttempt(world, config, now);
  const end = outOfAttempts(run, now);
  if (end) return (maySurvive(run, now) && survived(world, end.message, now)) || over(end);
  const blocker = firstOf(checks, world);
  if (blocker) return blocked(blocker).again(repairSeconds);
  if (hasOpenInputs(run)) return freezeInputs(world);
  return run.spec.corpus && !run.status?.corpus ? freezeCorpus(world) : nextAttempt(world, now);
}

/** What the trainer calls a corpus that can't teach: it counts what only who reads trajectories can. */
const corpusRefusals: readonly string[] = [TrainerReason.CorpusInsufficient, TrainerReason.EmptyCorpus];

function over({ reason, message }: { reason: string; message: string }): Outcome {
  const outcome = failed(reason, message);
  return corpusRefusals.includes(reason)
    ? outcome.condition({ type: ConditionType.CorpusSufficient, status: "False", reason, message })
    : outcome;
}

function freezeCorpus(world: World): Outcome {
  const { run } = world;
  const state = corpusOf(world);
  switch (state.state) {
    case "Waiting":
      return sayTooSmall(waiting(state.reason, state.message, retrySeconds), state);
    case "Insufficient":
      return blocked(state)
        .condition({ type: ConditionType.CorpusSufficient, status: "False", reason: state.reason, message: state.message })
        .again(repairSeconds);
    case "Sufficient":
      return progressing(RunReason.CorpusFrozen, `learns from ${sizeOf(state.corpus)}${unreachableScopeHint(run, state.corpus)}`, {
        corpus: state.corpus,
        method: methodOf(run),
      })
        .condition(sufficient(state.corpus))
        .event("Normal", RunReason.CorpusFrozen, `froze ${sizeOf(state.corpus)}: ${state.corpus.digest}`)
        .atOnce();
    default:
      return state satisfies never;
  }
}

/** More sessions may still match: the shortfall is reported while the run waits for them. */
function sayTooSmall(outcome: Outcome, { reason, message }: { reason: string; message: string }): Outcome {
  return reason === RunReason.CorpusTooSmall
    ? outcome.condition({ type: ConditionType.CorpusSufficient, status: "False", reason, message })
    : outcome;
}

/** Sessions find an adapter by its project. */
function unreachableScopeHint(run: TrainingRun, { scope }: Corpus): string {
  const shared = run.spec.output.scope ?? scope;
  if (shared?.project || outputKindOf(run) !== "Adapter") return "";
  return "; they share no project and spec.output.scope names none, so no session will choose the adapter by itself";
}

/** An attempt is recorded before any of its objects exist, so that a crash can't hide one. */
function nextAttempt({ run, base }: World, now: Date): Outcome {
  const attempts = run.status?.attempts ?? [];
  const number = attempts.length + 1;
  const start = nextStart(attempts);
  const last = attempts.at(-1);
  if (last && start > now) {
    const seconds = Math.min((start.getTime() - now.getTime()) / 1000, Math.max(1, remainingSeconds(run, now)));
    return waiting(RunReason.AttemptEnded, `${endingOf(last)}; attempt ${number} starts at ${timestamp(start)}`, seconds);
  }
  const attempt: Attempt = { number, job: jobNameOfRun(run.metadata.name, number), result: "Running", startTime: timestamp(now) };
  const status = {
    method: methodOf(run),
    ...(isResolved(base) && { baseDigest: base.digest }),
    attempts: [...attempts, attempt],
    progress: { percent: 0 },
  };
  return progressing(RunReason.Training, `starts attempt ${number}`, status)
    .event("Normal", RunReason.Training, `attempt ${number} starts as Job ${attempt.job}`)
    .atOnce();
}

function followAttempt(world: World, config: OperatorConfig, now: Date): Outcome {
  const { run, job, pods, credentials, base } = world;
  const state = attemptState(job, pods, now);
  switch (state.state) {
    case "Missing": {
      if (remainingSeconds(run, now) <= 0) {
        const message = "spec.deadlineSeconds were over before its Job could be created";
        return endAttempt(world, { result: "Failed", reason: Reason.DeadlineExceeded, message }, now, {});
      }
      if (!isResolved(base)) return waiting(Reason.BaseModelUnavailable, base.unresolved, retrySeconds);
      if (!credentials && !run.spec.queueName) return unchanged();
      const number = run.status?.attempts?.length ?? 1;
      const objects = attemptObjects({ run, number, base, config, remainingSeconds: remainingSeconds(run, now), credentials });
      return progressing(RunReason.Training, `attempt ${number} is being created`).creating(...objects);
    }
    case "Running":
      return running(world, now);
    case "Succeeded": {
      const { mlflowRunID } = state.result;
      return endSucceeded(world, {}, now, { result: resultOf(state.result), mlflowRunID });
    }
    case "Silent":
      return adoptPublishedArtifact(world, state.message, now);
    case "Ended":
      return endAttempt(world, state.attempt, now, {});
    default:
      return state satisfies never;
  }
}

/** While the Job is active: it may be queued, and it is ended at the run's deadline. */
function running(world: World, now: Date): Outcome {
  const { run, job, credentials } = world;
  if (!job) return unchanged();
  const seconds = overdueIn(run, job, now);
  if (seconds <= 0)
    return endAttempt(world, { result: "Failed", reason: Reason.DeadlineExceeded, message: overdueWords(run, job) }, now, {}).deleting(job);
  if (isQueued(run, job)) return queued(run, now);
  const secrets = credentials ? [attemptSecret(run, run.status?.attempts?.length ?? 1, credentials)] : [];
  return training(world, job, now)
    .creating(...secrets)
    .again(seconds);
}

function training({ run, progress, pods, refusal }: World, job: NonNullable<World["job"]>, now: Date): Outcome {
  const trouble = jobBlocker(job, pods, now, refusal);
  if (trouble) return blocked(trouble);
  const percent = progress?.percent ?? run.status?.progress?.percent ?? 0;
  const status = progress && {
    progress: {
      percent,
      step: progress.step,
      totalSteps: progress.totalSteps,
      ...(progress.loss !== undefined && { loss: progress.loss.toPrecision(4) }),
      ...(progress.remainingSeconds !== undefined && {
        remainingSeconds: Math.min(longestRemainingSeconds, Math.round(progress.remainingSeconds)),
      }),
    },
  };
  const outcome = progressing(RunReason.Training, `attempt ${run.status?.attempts?.length ?? 1} is at ${percent} %`, status ?? undefined);
  // A pod terminating on a lost node never changes again, and a pod that can't be created causes no event.
  return pods.length === 0 || pods.some(({ metadata }) => metadata.deletionTimestamp) ? outcome.again(retrySeconds) : outcome;
}

/**
 * The Job is deleted and the checkpoints are kept for the next attempt. It counts as a disruption, not as a failure.
 */
function suspend({ run, job }: World, now: Date): Outcome {
  const last = run.status?.attempts?.at(-1);
  const outcome = progressing(Reason.Suspended, "spec.suspend is true; set it back to go on from the last checkpoint");
  if (last?.result !== "Running") return outcome;
  if (job) return outcome.deleting(job);
  const ended: Attempt = { ...last, result: "Disrupted", reason: Reason.Suspended, message: "suspended", endTime: timestamp(now) };
  return progressing(Reason.Suspended, "spec.suspend is true; set it back to go on from the last checkpoint", {
    attempts: [...(run.status?.attempts ?? []).slice(0, -1), ended],
  });
}
