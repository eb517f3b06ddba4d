import { type EvaluatorResult, evaluatorResult } from "@rune/crds/artifact";
import { fewestClusters } from "@rune/crds/evaluation";
import { failed, isTerminal, isTrue, type KubeObject, type Outcome, progressing, succeeded, timestamp, unchanged, waiting } from "kopf-ts";
import { blocked, type Check, firstOf, repairSeconds } from "../check.ts";
import type { OperatorConfig } from "../config.ts";
import {
  beginEpoch,
  epochStep,
  livePods,
  lossesWith,
  mostLosses,
  nextEpoch,
  paused,
  proofTargetMissing,
  suspended,
  working,
} from "../epoch.ts";
import { finished } from "../finished.ts";
import { isolationVerified } from "../isolation.ts";
import { sandboxName } from "../names.ts";
import { Reason } from "../reasons.ts";
import { requirementsMet } from "../requires.ts";
import { libraryMissing, sandboxObjects } from "../sandbox.ts";
import { adapterOn, isServed } from "../serving.ts";
import { foreignRepository } from "../tenancy.ts";
import { activeArm, deadlineOf, intervalOf, nextArm, withCompleted } from "./arms.ts";
import { evaluatorObjects } from "./job.ts";
import { EvaluationReason } from "./reasons.ts";
import type { ArmStatus, World } from "./world.ts";

const retrySeconds = 10;

const serversReady: Check<World> = ({ evaluation, servers }) => {
  const missing = evaluation.spec.arms.find((arm) => !servers.has(arm.serverRef.name));
  if (missing)
    return {
      reason: EvaluationReason.ServerMissing,
      message: `the ModelServer ${missing.serverRef.name} of arm ${missing.name} doesn't exist; create it, or correct spec.arms in a new evaluation`,
      retrySeconds,
    };
  const starting = [...servers.values()].find((server) => !isTrue(server, "Ready"));
  return starting
    ? { reason: EvaluationReason.ServerNotReady, message: `waits for the ModelServer ${starting.metadata.name} to be Ready`, retrySeconds }
    : null;
};
const adaptersExist: Check<World> = ({ evaluation, adapters }) => {
  const missing = evaluation.spec.arms.find((arm) => arm.adapter && !adapters.has(arm.adapter));
  return missing
    ? {
        reason: EvaluationReason.AdapterMissing,
        message: `the Adapter ${missing.adapter} of arm ${missing.name} doesn't exist`,
        retrySeconds,
      }
    : null;
};
const libraryExists: Check<World> = ({ evaluation, libraryExists: exists }) => (exists ? null : libraryMissing(evaluation.spec.sandbox));
const ownTaskSet: Check<World> = ({ evaluation: { metadata, spec } }) => foreignRepository(spec.taskSet.repository, metadata.namespace);
const tasksReadable: Check<World> = ({ tasks }) => {
  if (tasks && "missing" in tasks) return { reason: EvaluationReason.TaskSetMissing, message: tasks.missing };
  if (tasks && "unreadable" in tasks)
    return { reason: EvaluationReason.NotATaskSet, message: `${tasks.unreadable}; correct spec.taskSet in a new evaluation` };
  if (tasks && "unavailable" in tasks)
    return { reason: Reason.RegistryUnavailable, message: `the task set can't be read: ${tasks.unavailable}`, retrySeconds };
  return null;
};

/** What an evaluation requires holds once, at its beginning: its work isn't interrupted by what happens to others. */
const mayBegin: Check<World> = (world) => (world.evaluation.status?.arms ? null : requirementsMet(world));

const checks: Check<World>[] = [ownTaskSet, mayBegin, serversReady, adaptersExist, libraryExists, tasksReadable];

/** From what is seen to what should be, arm by arm: claim → sandbox → evaluator → numbers; after the last one the report. */
export function decide(world: World, config: OperatorConfig, now: Date): Outcome {
  const { evaluation } = world;
  const { status } = evaluation;
  if (evaluation.metadata.deletionTimestamp) return unchanged();
  if (isTerminal(evaluation)) return finished(evaluation, now, status?.sandbox ? livePods(world) : []);
  if (status?.startTime && now >= deadlineOf(evaluation))
    return failed(
      EvaluationReason.DeadlineExceeded,
      `spec.deadlineSeconds (${evaluation.spec.deadlineSeconds} s) are over; what was judged stays in the log`,
    );
  if (evaluation.spec.suspend) return suspended(evaluation, world);
  if ("unavailable" in world.log)
    return waiting(EvaluationReason.LogUnavailable, `the live log can't be read: ${world.log.unavailable}`, retrySeconds);
  const result = resultOf(world);
  if (result) return recordArm(world, result);
  const blocker = firstOf(checks, world);
  if (blocker) return blocked(blocker).again(repairSeconds);
  if (!status?.arms) return begin(world, now);
  const arm = nextArm(evaluation);
  if (!arm) return failed(Reason.ArtifactMissing, "every arm is measured, and no report was stored");
  if (status.activeArm !== arm.name)
    return progressing(EvaluationReason.Measuring, `arm ${arm.name} comes next`, { activeArm: arm.name }).atOnce();
  return adapterLoading(world) ?? work(world, config, now);
}

function begin({ evaluation, tasks, adapters }: World, now: Date): Outcome {
  const taskSet = tasks && "measured" in tasks ? tasks.measured : undefined;
  const total = (taskSet?.tasks ?? 0) * evaluation.spec.samples;
  const arms: ArmStatus[] = evaluation.spec.arms.map((arm) => {
    const digest = arm.adapter ? adapters.get(arm.adapter)?.spec.artifact.digest : undefined;
    return { name: arm.name, completed: 0, total, ...(digest && { adapterDigest: digest }) };
  });
  const outcome = progressing(EvaluationReason.Measuring, `${arms.length} arms answer ${total} times each`, {
    startTime: timestamp(now),
    arms,
    ...(taskSet && { taskSet }),
  }).atOnce();
  const few = tooFewTasks(evaluation, tasks);
  return few ? outcome.condition({ type: "GatePassed", status: "Unknown", reason: EvaluationReason.TooFewTasks, message: few }) : outcome;
}

/** What can be known of the verdict before hours are spent on it. */
function tooFewTasks({ spec: { gate } }: World["evaluation"], tasks: World["tasks"]): string | null {
  if (!gate || !tasks || !("clusters" in tasks)) return null;
  const wanted = Math.max(gate.minimumTasks, fewestClusters);
  return tasks.clusters < wanted
    ? `the verdict will be Inconclusive: these are at most ${tasks.clusters} independent tasks (clusters), and it takes ${wanted}; for a verdict, create an evaluation on a task set of more clusters`
    : null;
}

function adapterLoading({ evaluation, servers }: World): Outcome | null {
  const arm = activeArm(evaluation);
  if (!arm?.adapter) return null;
  const server = servers.get(arm.serverRef.name);
  const state = adapterOn(server, arm.adapter);
  if (isServed(state)) return null;
  const why = state?.message ?? state?.reason;
  if (state?.state === "Refused")
    return failed(EvaluationReason.AdapterRefused, `${arm.serverRef.name} refused ${arm.adapter}${why ? `: ${why}` : ""}`);
  return waiting(
    EvaluationReason.AdapterLoading,
    `waits for ${arm.serverRef.name} to load ${arm.adapter}${why ? `: ${why}` : ""}`,
    retrySeconds,
  );
}

function work(world: World, config: OperatorConfig, now: Date): Outcome {
  const { evaluation, worker } = world;
  const epoch = evaluation.status?.epoch ?? 0;
  if (epoch === 0) return beginEpoch(evaluation, world, config, "the sandbox is being created");
  if (worker.state === "Ended" && worker.permanent) return said(world, failed(worker.reason, worker.message));
  if (worker.state === "Ended" && lossesWith(evaluation, world.progress).count >= mostLosses)
    return said(
      world,
      failed(EvaluationReason.EpochsExhausted, `${mostLosses} evaluators in a row were lost; the last one: ${worker.message}`),
    );
  const step = epochStep(world, evaluation.status?.sandbox?.pod ?? "");
  switch (step.step) {
    case "Lost":
      return nextEpoch(evaluation, world, config, step.message, now);
    case "CreateSandbox":
      return (
        paused(evaluation, now) ??
        said(world, progressing(Reason.SandboxStarting, "the sandbox is being created")).creating(
          ...sandboxObjects(sandboxRequest(world), config),
        )
      );
    case "AwaitSandbox":
      return said(world, progressing(Reason.SandboxStarting, step.message));
    case "StartWorker":
      return startEvaluator(world, step, config, now);
    case "Working":
      return said(world, working(world, measuring(world)));
    default:
      return step satisfies never;
  }
}

function startEvaluator(world: World, { ip, podUID }: { ip: string; podUID: string }, config: OperatorConfig, now: Date): Outcome {
  const { evaluation, targets, credentials } = world;
  const { epoch = 1, activeArm: arm = "", sandbox } = evaluation.status ?? {};
  if (!credentials) return unchanged();
  if (!targets) return proofTargetMissing();
  const objects = evaluatorObjects({
    world,
    epoch,
    arm,
    sandboxIP: ip,
    targets,
    deadline: deadlineOf(evaluation),
    credentials,
    config,
    now,
  });
  return said(
    world,
    progressing(EvaluationReason.Measuring, `the evaluator of arm ${arm} is being created`, { sandbox: { ...sandbox, podUID } }),
  ).creating(...objects);
}

const sandboxRequest = ({ evaluation, runnerToken }: World) => ({
  owner: evaluation as World["evaluation"] & KubeObject & { metadata: { uid: string } },
  epoch: evaluation.status?.epoch ?? 1,
  uid: evaluation.status?.sandbox?.uid ?? 0,
  spec: evaluation.spec.sandbox,
  caller: "evaluator" as const,
  token: runnerToken,
});

function measuring({ evaluation, log }: World): Outcome {
  const completed = "completed" in log ? log.completed : {};
  const arms = withCompleted(evaluation.status?.arms ?? [], completed);
  const active = arms.find(({ name }) => name === evaluation.status?.activeArm);
  return progressing(EvaluationReason.Measuring, `arm ${active?.name}: ${active?.completed} of ${active?.total} programs judged`, { arms });
}

/** The condition that follows from the log alone. */
function said({ log }: World, outcome: Outcome): Outcome {
  return "unavailable" in log ? outcome : outcome.condition(isolationVerified(log.isolation));
}

/** What the active arm's evaluator said, if it ended well and this arm isn't recorded yet. */
function resultOf({ evaluation, worker }: World): EvaluatorResult | null {
  if (worker.state !== "Ended") return null;
  const parsed = evaluatorResult.safeParse(worker.output);
  return parsed.success && parsed.data.arm === evaluation.status?.activeArm && nextArm(evaluation)?.name === parsed.data.arm
    ? parsed.data
    : null;
}

/** An arm's numbers are frozen in status; the last one comes with the report, and ends the evaluation. */
function recordArm(world: World, result: EvaluatorResult): Outcome {
  const { evaluation, log } = world;
  const isolation = "isolation" in log && log.isolation ? { isolation: log.isolation } : {};
  const arms = (evaluation.status?.arms ?? []).map((arm) =>
    arm.name === result.arm ? { ...arm, completed: result.completed, passAt1: intervalOf(result.passAt1) } : arm,
  );
  const words = `arm ${result.arm}: Pass@1 ${result.passAt1.estimate.toFixed(3)} [${result.passAt1.lower.toFixed(3)}, ${result.passAt1.upper.toFixed(3)}]`;
  const following = evaluation.spec.arms.find((arm) => arm.name !== result.arm && !arms.find(({ name }) => name === arm.name)?.passAt1);
  if (following) return beginArm(world, arms, following.name, words);
  if (!result.report) return said(world, failed(Reason.ArtifactMissing, `${words}; it was the last arm, and no report was stored`));
  const status = {
    ...isolation,
    arms,
    activeArm: undefined,
    report: result.report,
    ...(result.delta && { delta: intervalOf(result.delta, 1) }),
    ...(result.verdict && { verdict: result.verdict }),
    ...(result.mlflowRunID && { mlflowRunID: result.mlflowRunID }),
  };
  const message = [words, ...(result.delta ? [gainOf(result.delta)] : [])].join("; ");
  return gated(said(world, succeeded(status, { reason: EvaluationReason.Measured, message })), result)
    .event("Normal", EvaluationReason.Measured, message)
    .atOnce();
}

const gainOf = ({ estimate, lower, upper }: NonNullable<EvaluatorResult["delta"]>) =>
  `gain ${estimate.toFixed(1)} points [${lower.toFixed(1)}, ${upper.toFixed(1)}]`;

/** The next arm gets an epoch, and with it a sandbox, of its own. */
function beginArm({ evaluation, sandboxPod, job, worker }: World, arms: ArmStatus[], name: string, words: string): Outcome {
  return progressing(EvaluationReason.ArmMeasured, `${words}; arm ${name} comes next`, {
    arms,
    activeArm: name,
    epoch: (evaluation.status?.epoch ?? 0) + 1,
    sandbox: nextSandbox(evaluation),
  })
    .deleting(...livePods({ sandboxPod, job, worker }))
    .event("Normal", EvaluationReason.ArmMeasured, words)
    .atOnce();
}

function nextSandbox(evaluation: World["evaluation"]): object {
  const { epoch = 0, sandbox } = evaluation.status ?? {};
  return { pod: sandboxName(evaluation, epoch + 1), uid: sandbox?.uid };
}

/** The verdict never touches Ready: an evaluation that found nothing did what it was asked. */
function gated(outcome: Outcome, { verdict, delta, why }: EvaluatorResult): Outcome {
  if (!verdict) return outcome;
  const status = { Passed: "True", Failed: "False", Inconclusive: "Unknown" } as const;
  return outcome.condition({
    type: "GatePassed",
    status: status[verdict],
    reason: verdict,
    message: [delta && gainOf(delta), why].filter(Boolean).join("; "),
  });
}
