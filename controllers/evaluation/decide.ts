import { ConditionType } from "@rune/crds/words/conditions";
import { failed, isTerminal, isTrue, type KubeObject, type Outcome, progressing, timestamp, unchanged, waiting } from "kopf-ts";
import { beginEpoch, epochStep, exhausted, livePods, nextEpoch, paused, proofTargetMissing, suspended, working } from "../epochs/epoch.ts";
import { libraryMissing, sandboxObjects } from "../epochs/sandbox.ts";
import { blocked, type Check, firstOf, repairSeconds } from "../shared/check.ts";
import type { OperatorConfig } from "../shared/config.ts";
import { planName } from "../shared/names.ts";
import { Reason } from "../shared/reasons.ts";
import { requirementsMet } from "../shared/requires.ts";
import { adapterOn, detailOf, isServed } from "../shared/serving.ts";
import type { StoreTasks } from "../shared/task-set.ts";
import { foreignRepository } from "../shared/tenancy.ts";
import { expire } from "../shared/time-to-live.ts";
import { activeServer, deadlineOf, withCompleted } from "./arms.ts";
import { nameOfUnit, statusOfUnit, type Unit, unitNow, unitsOf } from "./batches.ts";
import { type StoreEvidence, storing, withMissing } from "./evidence.ts";
import { forecast } from "./forecast.ts";
import { evaluatorObjects } from "./manifests.ts";
import { type Plan, type PlannedArm, planConfigMap } from "./plan.ts";
import { planOf } from "./planning.ts";
import { EvaluationReason } from "./reasons.ts";
import { record, resultOf, withIsolationCondition } from "./record.ts";
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
  const starting = [...servers.values()].find((server) => !isTrue(server, ConditionType.Ready));
  return starting
    ? { reason: EvaluationReason.ServerNotReady, message: `waits for the ModelServer ${starting.metadata.name} to be Ready`, retrySeconds }
    : null;
};
const adaptersExist: Check<World> = ({ evaluation, adapters }) => {
  const missing = evaluation.spec.arms.find((arm) => arm.adapter && !adapters.has(arm.adapter));
  return missing
    ? {
        reason: Reason.AdapterMissing,
        message: `the Adapter ${missing.adapter} of arm ${missing.name} doesn't exist`,
        retrySeconds,
      }
    : null;
};
const libraryExists: Check<World> = ({ evaluation, libraryExists: exists }) => (exists ? null : libraryMissing(evaluation.spec.sandbox));
const ownArtifacts: Check<World> = ({ evaluation: { metadata, spec } }) => {
  const named = [spec.taskSet.repository, ...spec.arms.map((arm) => arm.context?.artifact?.repository)];
  return named.map((repository) => foreignRepository(repository, metadata.namespace)).find((blocker) => blocker !== null) ?? null;
};
/** Requirements hold an evaluation back only before it begins; they don't interrupt its work. */
const mayBegin: Check<World> = (world) => (world.evaluation.status?.arms ? null : requirementsMet(world));

const checks: Check<World>[] = [ownArtifacts, mayBegin, serversReady, adaptersExist, libraryExists];

/** Writes to the registry. */
export interface Store {
  readonly tasks: StoreTasks;
  readonly evidence: StoreEvidence;
}

/** Freezes tasks and adapters, then per unit: claim → sandbox → evaluator → numbers; finally the report. */
export function decide(world: World, config: OperatorConfig, store: Store, now: Date): Outcome {
  const { evaluation } = world;
  const { status } = evaluation;
  if (evaluation.metadata.deletionTimestamp) return unchanged();
  if (isTerminal(evaluation)) return expire(evaluation, now, [...(status?.sandbox ? livePods(world) : []), ...world.cleanup]);
  const late = overdue(world, now);
  if (late) return late;
  if (evaluation.spec.suspend) return suspended(evaluation, world);
  if ("unavailable" in world.log)
    return waiting(EvaluationReason.LogUnavailable, `the live log can't be read: ${world.log.unavailable}`, retrySeconds);
  const recorded = recording(world, store, now);
  if (recorded) return recorded;
  const blocker = firstOf(checks, world);
  if (blocker) return blocked(blocker).again(repairSeconds);
  const { plan } = world;
  if (!plan) return isPlanLost(evaluation) ? planLost(evaluation) : freeze(world, store);
  if (!status?.arms) return begin(world, plan, now);
  const units = unitsOf(plan);
  const unit = units[unitNow(evaluation, units)];
  if (!unit) return first(units, plan);
  return adaptersLoading(world, nameOfUnit(unit, plan)) ?? work(world, { plan, unit }, config, now);
}

const isLate = ({ evaluation }: World, now: Date) => evaluation.status?.startTime !== undefined && now >= deadlineOf(evaluation);

/** A stored report counts even after the deadline. */
function overdue(world: World, now: Date): Outcome | null {
  if (!isLate(world, now) || (world.plan && resultOf(world)?.report)) return null;
  return failed(
    Reason.DeadlineExceeded,
    `spec.deadlineSeconds (${world.evaluation.spec.deadlineSeconds} s) are over; what was judged stays in the log`,
  );
}

/** Records the evaluator's result. The final one is first stored with the adapters, if time is left. */
function recording(world: World, store: Store, now: Date): Outcome | null {
  const { plan } = world;
  const result = plan && resultOf(world);
  if (!plan || !result) return null;
  const unstored = result.report && !isLate(world, now) ? storing(world, store.evidence) : null;
  return unstored ?? withMissing(record(world, plan, result), world);
}

/** Adapters and sessions change: replanning would use others and mix two measurements. */
const isPlanLost = ({ spec, status }: World["evaluation"]) => status?.arms && spec.arms.some((arm) => arm.adapters || arm.context);
const planLost = (evaluation: World["evaluation"]) =>
  failed(
    EvaluationReason.PlanLost,
    `the ConfigMap ${planName(evaluation)} is gone, which froze what each task is answered by; create a new evaluation`,
  );

/** Stores the tasks as an artifact, then the plan as an immutable ConfigMap; later changes don't affect it. */
function freeze(world: World, store: Store): Outcome {
  const { evaluation, tasks } = world;
  const content = planOf(world);
  if ("reason" in content) return blocked(content).again(repairSeconds);
  if (tasks && "set" in tasks && !tasks.stored) {
    const { set, reference } = tasks;
    const message = `${set.tasks.length} tasks are being stored as ${reference.repository}@${reference.digest}`;
    return progressing(EvaluationReason.Planning, message)
      .effect("task set", () => store.tasks(set, reference.repository))
      .atOnce();
  }
  return progressing(EvaluationReason.Planning, "what is measured, and by what, is being frozen")
    .creating(planConfigMap(evaluation, content))
    .atOnce();
}

function begin({ evaluation, earlier }: World, plan: Plan, now: Date): Outcome {
  const total = plan.taskSet.tasks * evaluation.spec.samples;
  const arms = plan.arms.map((arm) => armStatus(arm, plan, total));
  const outcome = progressing(EvaluationReason.Measuring, `${arms.length} arms answer ${total} times each`, {
    startTime: timestamp(now),
    arms,
    taskSet: plan.taskSet,
  }).atOnce();
  return forecast(evaluation, plan, earlier).reduce((all, condition) => all.condition(condition), outcome);
}

function armStatus({ name, adapters, assigned }: PlannedArm, { taskSet }: Plan, total: number): ArmStatus {
  if (!assigned) return { name, completed: 0, total, ...(adapters[0] && { adapterDigest: adapters[0].digest }) };
  const count = Object.keys(assigned).length;
  return { name, completed: 0, total, assigned: count, unassigned: taskSet.tasks - count };
}

function first(units: readonly Unit[], plan: Plan): Outcome {
  const [unit] = units;
  if (!unit) return failed(Reason.ArtifactMissing, "nothing is left to measure, and no report was stored");
  return progressing(EvaluationReason.Measuring, `${nameOfUnit(unit, plan)} comes next`, statusOfUnit(unit, plan.looks.length)).atOnce();
}

/** Every claimed adapter must be loaded; if one is deleted or refused, no other may answer its tasks. */
function adaptersLoading(world: World, unit: string): Outcome | null {
  const { evaluation, servers } = world;
  const serverName = activeServer(evaluation) ?? "";
  const server = servers.get(serverName);
  const claimed = evaluation.status?.activeAdapters ?? [];
  const gone = claimed.find((name) => !world.adapters.has(name));
  if (gone)
    return failed(
      Reason.AdapterMissing,
      `the Adapter ${gone} of ${unit} is gone, and its tasks are nobody else's; create it again from its artifact, and a new evaluation`,
    );
  for (const name of claimed) {
    const state = adapterOn(server, name);
    if (state?.state === "Refused") return failed(Reason.AdapterRefused, `${serverName} refused ${name}${detailOf(state)}`);
  }
  const loading = claimed.find((name) => !isServed(adapterOn(server, name)));
  if (!loading) return null;
  const words = `waits for ${serverName} to load ${loading}${detailOf(adapterOn(server, loading))}`;
  return waiting(EvaluationReason.AdapterLoading, words, retrySeconds);
}

/** The current unit and its plan. */
interface Turn {
  readonly plan: Plan;
  readonly unit: Unit;
}

function work(world: World, turn: Turn, config: OperatorConfig, now: Date): Outcome {
  const { evaluation, worker } = world;
  const epoch = evaluation.status?.epoch ?? 0;
  if (epoch === 0) return beginEpoch(evaluation, world, config, "the sandbox is being created");
  if (worker.state === "Ended" && worker.permanent) return withIsolationCondition(world, failed(worker.reason, worker.message));
  const hopeless = exhausted(evaluation, world.progress);
  if (hopeless) return withIsolationCondition(world, failed(EvaluationReason.EpochsExhausted, hopeless));
  const step = epochStep(world, evaluation.status?.sandbox?.pod ?? "");
  switch (step.step) {
    case "Lost":
      return nextEpoch(evaluation, world, config, step.message, now);
    case "CreateSandbox":
      return (
        paused(evaluation, now) ??
        withIsolationCondition(world, progressing(Reason.SandboxStarting, "the sandbox is being created")).creating(
          ...sandboxObjects(sandboxRequest(world), config),
        )
      );
    case "AwaitSandbox":
      return withIsolationCondition(world, progressing(Reason.SandboxStarting, step.message));
    case "StartWorker":
      return startEvaluator(world, turn, step, config, now);
    case "Working":
      return withIsolationCondition(world, working(world, measuring(world, turn)));
    default:
      return step satisfies never;
  }
}

function startEvaluator(
  world: World,
  { plan, unit }: Turn,
  { ip, podUID }: { ip: string; podUID: string },
  config: OperatorConfig,
  now: Date,
): Outcome {
  const { evaluation, targets, credentials } = world;
  const { epoch = 1, sandbox } = evaluation.status ?? {};
  if (!credentials) return unchanged();
  if (!targets) return proofTargetMissing();
  const objects = evaluatorObjects({
    world,
    plan,
    epoch,
    unit,
    sandboxIP: ip,
    targets,
    deadline: deadlineOf(evaluation),
    credentials,
    config,
    now,
  });
  return withIsolationCondition(
    world,
    progressing(EvaluationReason.Measuring, `the evaluator of ${nameOfUnit(unit, plan)} is being created`, {
      sandbox: { ...sandbox, podUID },
    }),
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

function measuring({ evaluation, log }: World, { plan, unit }: Turn): Outcome {
  const arms = withCompleted(evaluation.status?.arms ?? [], "completed" in log ? log.completed : {});
  const active = arms.filter(({ name }) => unit.arms.includes(name));
  const sum = (of: "completed" | "total") => active.reduce((total, arm) => total + arm[of], 0);
  const words = `${nameOfUnit(unit, plan)}: ${sum("completed")} of ${sum("total")} programs judged`;
  return progressing(EvaluationReason.Measuring, words, { arms });
}
