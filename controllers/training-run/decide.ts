import type { TrainingRun } from "@rune/crds/training-run";
import { failed, isTerminal, type Outcome, progressing, succeeded, timestamp, unchanged, waiting } from "kopf-ts";
import { isResolved } from "../base-model.ts";
import { brief } from "../brief.ts";
import { blocked, type Check, firstOf, repairSeconds } from "../check.ts";
import type { OperatorConfig } from "../config.ts";
import { finished } from "../finished.ts";
import { jobNameOfRun, repositoryOf } from "../names.ts";
import { Reason } from "../reasons.ts";
import { requirementsMet } from "../requires.ts";
import { foreignRepository } from "../tenancy.ts";
import { jobTrouble } from "../trouble.ts";
import { type Attempt, attemptState, lingeringJob, maySurvive, nextStart, outOfAttempts, remainingSeconds } from "./attempts.ts";
import { type Corpus, corpusOf } from "./corpus.ts";
import { adapterOf, attemptObjects, attemptSecret } from "./job.ts";
import { isQueued, overdueIn, overdueWords, queued } from "./queue.ts";
import { RunReason } from "./reasons.ts";
import type { Artifact, World } from "./world.ts";

const retrySeconds = 15;
/** From the end of the training. */
const longestSearchSeconds = 600;

const baseResolved: Check<World> = ({ base }) =>
  isResolved(base) ? null : { reason: Reason.BaseModelUnavailable, message: base.unresolved, ...(base.missing ? {} : { retrySeconds }) };

const ownRepositories: Check<World> = ({ run: { metadata, spec } }) =>
  foreignRepository(spec.base.oci?.repository, metadata.namespace) ??
  foreignRepository(spec.corpus.artifact?.repository, metadata.namespace);

/** What a run requires holds once, at its beginning: its attempts aren't interrupted by what happens to others. */
const mayBegin: Check<World> = (world) => (world.run.status?.attempts ? null : requirementsMet(world));

const checks: Check<World>[] = [ownRepositories, mayBegin, baseResolved];

/** From what is seen to what should be, one step at a time: corpus → attempts → result → Adapter. */
export function decide(world: World, config: OperatorConfig, now: Date): Outcome {
  const { run } = world;
  if (run.metadata.deletionTimestamp) return unchanged();
  if (isTerminal(run)) return finished(run, now);
  if (run.status?.result) return publish(world, run.status.result, now);
  if (run.spec.suspend) return suspend(world, now);
  if (run.status?.attempts?.at(-1)?.result === "Running") return follow(world, config, now);
  const end = outOfAttempts(run, now);
  if (end) return (maySurvive(run, now) && survived(world, end.message, now)) || failed(end.reason, end.message);
  const blocker = firstOf(checks, world);
  if (blocker) return blocked(blocker).again(repairSeconds);
  return run.status?.corpus ? nextAttempt(world, now) : freezeCorpus(world);
}

function freezeCorpus({ run, sessions }: World): Outcome {
  if (run.spec.corpus.artifact) return nothingYet(run);
  const state = corpusOf(run, sessions);
  switch (state.state) {
    case "Waiting":
      return waiting(state.reason, state.message, retrySeconds);
    case "Insufficient":
      return blocked(state).condition({ type: "CorpusSufficient", status: "False", reason: state.reason, message: state.message });
    case "Sufficient":
      return progressing(
        RunReason.CorpusFrozen,
        `learns from ${state.corpus.count} sessions, ${state.corpus.solved} of them solved${lonely(run, state.corpus)}`,
        {
          corpus: state.corpus,
        },
      )
        .condition({
          type: "CorpusSufficient",
          status: "True",
          reason: RunReason.CorpusFrozen,
          message: `${state.corpus.solved} sessions ended solved`,
        })
        .event("Normal", RunReason.CorpusFrozen, `froze a corpus of ${state.corpus.count} sessions: ${state.corpus.digest}`)
        .atOnce();
    default:
      return state satisfies never;
  }
}

/** Sessions find an adapter by its project. */
function lonely(run: TrainingRun, { scope }: Corpus): string {
  const shared = run.spec.output.scope ?? scope;
  return shared?.project ? "" : "; they share no project and spec.output.scope names none, so no session will choose the adapter by itself";
}

/** A corpus that is in the registry already is frozen by its own digest. */
function nothingYet(run: TrainingRun): Outcome {
  const artifact = run.spec.corpus.artifact;
  if (!artifact) return unchanged();
  const corpus = { digest: artifact.digest, count: 1, solved: 1, trajectories: [artifact] };
  return progressing(RunReason.CorpusFrozen, `learns from ${artifact.repository}@${artifact.digest}`, { corpus }).atOnce();
}

/** An attempt is recorded before anything of it exists, so that no crash can hide one. */
function nextAttempt({ run }: World, now: Date): Outcome {
  const attempts = run.status?.attempts ?? [];
  const number = attempts.length + 1;
  const start = nextStart(attempts);
  const last = attempts.at(-1);
  if (last && start > now) {
    const seconds = Math.min((start.getTime() - now.getTime()) / 1000, Math.max(1, remainingSeconds(run, now)));
    return waiting(RunReason.AttemptEnded, `${endingOf(last)}; attempt ${number} starts at ${timestamp(start)}`, seconds);
  }
  const attempt: Attempt = { number, job: jobNameOfRun(run.metadata.name, number), result: "Running", startTime: timestamp(now) };
  return progressing(RunReason.Training, `starts attempt ${number}`, { attempts: [...attempts, attempt], progress: { percent: 0 } })
    .event("Normal", RunReason.Training, `attempt ${number} starts as Job ${attempt.job}`)
    .atOnce();
}

function follow(world: World, config: OperatorConfig, now: Date): Outcome {
  const { run, job, pods, credentials, base } = world;
  const state = attemptState(job, pods, now);
  switch (state.state) {
    case "Missing": {
      if (remainingSeconds(run, now) <= 0) {
        const message = "spec.deadlineSeconds were over before its Job could be created";
        return endAttempt(world, { result: "Failed", reason: RunReason.DeadlineExceeded, message }, now, {});
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
      const { result } = state;
      return endAttempt(world, { result: "Succeeded" }, now, {
        result: {
          repository: result.repository,
          digest: result.digest,
          sizeBytes: result.sizeBytes,
          examples: result.examples,
          steps: result.steps,
          trainingLoss: result.trainingLoss.toPrecision(6),
          deltaWNorm: result.deltaWNorm.toPrecision(6),
          durationSeconds: Math.round(result.durationSeconds),
        },
        mlflowRunID: result.mlflowRunID,
      });
    }
    case "Silent":
      return adopt(world, state.message, now);
    case "Ended":
      return endAttempt(world, state.attempt, now, {});
    default:
      return state satisfies never;
  }
}

/** While the Job neither ends nor is ended: by its queue's leave, and until the run's deadline. */
function running(world: World, now: Date): Outcome {
  const { run, job, credentials } = world;
  if (!job) return unchanged();
  const seconds = overdueIn(run, job, now);
  if (seconds <= 0)
    return endAttempt(world, { result: "Failed", reason: RunReason.DeadlineExceeded, message: overdueWords(run, job) }, now, {}).deleting(
      job,
    );
  if (isQueued(run, job)) return queued(run, now);
  const secrets = credentials ? [attemptSecret(run, run.status?.attempts?.length ?? 1, credentials)] : [];
  return training(world, job, now)
    .creating(...secrets)
    .again(seconds);
}

function training({ run, progress, pods, refusal }: World, job: NonNullable<World["job"]>, now: Date): Outcome {
  const trouble = jobTrouble(job, pods, now, refusal);
  if (trouble) return blocked(trouble);
  const percent = progress?.percent ?? run.status?.progress?.percent ?? 0;
  const status = progress && {
    progress: {
      percent,
      step: progress.step,
      totalSteps: progress.totalSteps,
      ...(progress.loss !== undefined && { loss: progress.loss.toPrecision(4) }),
      ...(progress.remainingSeconds !== undefined && { remainingSeconds: Math.round(progress.remainingSeconds) }),
    },
  };
  const outcome = progressing(RunReason.Training, `attempt ${run.status?.attempts?.length ?? 1} is at ${percent} %`, status ?? undefined);
  // A pod that is leaving a lost node never changes again, and nothing tells of one that can't be created.
  return pods.length === 0 || pods.some(({ metadata }) => metadata.deletionTimestamp) ? outcome.again(retrySeconds) : outcome;
}

/** The trainer ended well and its message is gone: what the run's tag leads to counts, once digest, config and owner agree. */
function adopt(world: World, message: string, now: Date): Outcome {
  const { artifact } = world;
  if (!artifact || "unavailable" in artifact)
    return waiting(
      Reason.RegistryUnavailable,
      `${message}; the registry can't be asked: ${artifact?.unavailable ?? "not yet"}`,
      retrySeconds,
    );
  if ("missing" in artifact)
    return endAttempt(world, { result: "Failed", reason: RunReason.PodLost, message: `${message}, and ${artifact.missing}` }, now, {});
  return adopted(world, artifact.artifact, message, now);
}

/** The attempts are over; what the last one stored before it ended counts nevertheless. Null where there is nothing, or nobody can say. */
function survived(world: World, message: string, now: Date): Outcome | null {
  const { run, artifact } = world;
  if (artifact && "artifact" in artifact) return adopted(world, artifact.artifact, "its Job or its time ended first", now);
  if (artifact && "missing" in artifact) return null;
  const words = `${message}; whether the last attempt stored its adapter can't be asked: ${artifact?.unavailable ?? "not yet"}`;
  return now < searchEnd(run) ? waiting(Reason.RegistryUnavailable, words, retrySeconds) : null;
}

function adopted(world: World, { digest, sizeBytes }: Artifact, message: string, now: Date): Outcome {
  const repository = repositoryOf.adapters(world.run.metadata.namespace);
  const how = { result: "Succeeded" as const, reason: undefined, message: `${message}; adopted what it had stored` };
  return endAttempt(world, how, now, { result: { repository, digest, sizeBytes } });
}

function endAttempt({ run, job, pods }: World, how: Partial<Attempt>, now: Date, status: object): Outcome {
  const attempts = run.status?.attempts ?? [];
  const last = attempts.at(-1);
  if (!last) return unchanged();
  const ended: Attempt = { ...last, ...how, ...(how.message && { message: brief(how.message) }), endTime: timestamp(now) };
  const words = endingOf(ended);
  return progressing(RunReason.AttemptEnded, words, { ...status, attempts: [...attempts.slice(0, -1), ended] })
    .event(ended.result === "Succeeded" ? "Normal" : "Warning", RunReason.AttemptEnded, words)
    .deleting(...lingeringJob(job, pods))
    .atOnce();
}

const endingOf = ({ number, result, message, reason }: Attempt) =>
  `attempt ${number} ${result === "Succeeded" ? "succeeded" : `ended ${result}: ${message ?? reason ?? ""}`}`;

/** The digest is in status: exactly one Adapter follows, whatever happens in between. */
function publish({ run, artifact, adapter }: World, result: NonNullable<NonNullable<TrainingRun["status"]>["result"]>, now: Date): Outcome {
  if (!artifact || "unavailable" in artifact)
    return waiting(
      Reason.RegistryUnavailable,
      `the artifact ${result.digest} can't be read: ${artifact?.unavailable ?? "not yet"}`,
      retrySeconds,
    );
  if ("missing" in artifact) return missing(run, artifact.missing, now);
  const wanted = adapterOf(run, result, artifact.artifact.config);
  if (adapter) return done(run, wanted.metadata.name, artifact.artifact);
  return progressing(RunReason.Publishing, `creates the Adapter ${wanted.metadata.name}`).creating(wanted);
}

const searchEnd = (run: TrainingRun) =>
  new Date(Date.parse(run.status?.attempts?.at(-1)?.endTime ?? "1970-01-01") + longestSearchSeconds * 1000);

/** What the trainer has just stored isn't gone because a registry that restarts, or what stands before it, says so for a while. */
function missing(run: TrainingRun, what: string, now: Date): Outcome {
  const until = searchEnd(run);
  if (now < until)
    return waiting(
      Reason.ArtifactMissing,
      `the artifact that the trainer stored isn't found: ${what}; it is looked for until ${timestamp(until)}`,
      retrySeconds,
    );
  return failed(
    Reason.ArtifactMissing,
    `the artifact that the trainer stored is gone: ${what}; restore the registry's storage and create a new run`,
  );
}

function done(run: TrainingRun, name: string, { digest }: Artifact): Outcome {
  const message = `learnt ${run.status?.corpus?.count ?? 0} sessions into the Adapter ${name}`;
  return succeeded(
    { adapter: name, progress: { ...run.status?.progress, percent: 100, remainingSeconds: 0 } },
    { reason: RunReason.AdapterCreated, message },
  ).event("Normal", RunReason.AdapterCreated, `${message} (${digest})`);
}

/** The Job goes, the checkpoints stay: the next attempt goes on from them. It counts as a disruption, not as a failure. */
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
