import { evaluationSubject } from "@rune/crds/contracts/session-log";
import type { Adapter } from "@rune/crds/kinds/adapter";
import type { Evaluation } from "@rune/crds/kinds/evaluation";
import { type Cache, type Context, configMaps, isTerminal, jobs, pods } from "kopf-ts";
import { cleanupOf } from "../epochs/cleanup.ts";
import { leftoversOf } from "../epochs/epoch.ts";
import { probeTargets } from "../epochs/probe-targets.ts";
import { liveSandboxUIDs, ownedBy, sandboxState } from "../epochs/sandbox.ts";
import { workerState } from "../epochs/worker.ts";
import { ownChild } from "../pods/pod.ts";
import { observeRefusal } from "../pods/refusal.ts";
import { jobNameOfEpoch, planName, repositoryOf, sandboxName } from "../shared/names.ts";
import { observeRequirements } from "../shared/requires.ts";
import { adapters, agentSessions, evaluations, modelServers, trainingRuns } from "../shared/resources.ts";
import type { Services } from "../shared/services.ts";
import { type AskedTasks, observeTasks } from "../shared/task-set.ts";
import { activeServer, deadlineOf } from "./arms.ts";
import { observeEvidence } from "./evidence.ts";
import { type Plan, readPlan } from "./plan.ts";
import { type Arm, judgedSoFar, type LogState, type World } from "./world.ts";

/** All reads of a pass. */
export async function observe(evaluation: Evaluation, context: Context, services: Services): Promise<World> {
  const { cache, client, clock } = context;
  const { namespace, uid } = evaluation.metadata;
  const { spec, status } = evaluation;
  const epoch = status?.epoch ?? 0;
  const sandboxPod = ownChild(evaluation, cache(pods).get({ namespace, name: sandboxName(evaluation, epoch) }));
  const sandbox = sandboxState(sandboxPod);
  const job = ownChild(evaluation, cache(jobs).get({ namespace, name: jobNameOfEpoch(evaluation, epoch) }));
  const evaluators = cache(pods).list({ namespace, labels: ownedBy(evaluation, "evaluator", epoch) });
  const worker = workerState({ job, pods: evaluators, refusal: await observeRefusal(job, evaluators, context) }, "evaluator", clock.now());
  const server = activeServer(evaluation) ?? "";
  const over = isTerminal(evaluation) || evaluation.metadata.deletionTimestamp !== undefined;
  const plan = over ? undefined : readPlan(ownChild(evaluation, cache(configMaps).get({ namespace, name: planName(evaluation) })));
  const starting = sandbox.state === "Ready" && worker.state === "Absent" && !over ? sandbox : undefined;
  const log = epoch > 0 && !over ? await observeLog(evaluation, services) : judgedSoFar.empty;
  const named = <T>(names: readonly (string | undefined)[], get: (name: string) => T | undefined) =>
    new Map(
      names.flatMap((each) => {
        const found = each ? get(each) : undefined;
        return each && found ? [[each, found] as const] : [];
      }),
    );
  return {
    evaluation,
    requirements: observeRequirements(evaluation, cache),
    servers: named(
      spec.arms.map((arm) => arm.serverRef.name),
      (each) => cache(modelServers).get({ namespace, name: each }),
    ),
    adapters: named([...spec.arms.map((arm) => arm.adapter), ...(status?.activeAdapters ?? [])], (each) =>
      cache(adapters).get({ namespace, name: each }),
    ),
    libraryExists:
      !spec.sandbox.libraryConfigMap || cache(configMaps).get({ namespace, name: spec.sandbox.libraryConfigMap }) !== undefined,
    plan,
    tasks: over || plan ? undefined : await observeTasks(tasksAsked(evaluation), cache, services),
    ...(over || plan ? nothingToPlan : observeChoices(evaluation, cache)),
    earlier: over || status?.arms ? [] : cache(evaluations).list({ namespace }),
    takenUIDs: liveSandboxUIDs(cache, uid),
    sandboxPod,
    sandbox,
    job,
    worker,
    progress: "completed" in log ? Object.values(log.completed).reduce((sum, each) => sum + each, 0) : 0,
    leftovers: leftoversOf(evaluation, "evaluator", cache),
    cleanup: isTerminal(evaluation) ? await cleanupOf(evaluation, context) : [],
    targets: starting && (await probeTargets(client, services, { namespace, name: server }, starting.hostIP)),
    log,
    evidence: await observeEvidence({ evaluation, worker, plan }, services, clock.now()),
    credentials: starting && plan && (await mint(evaluation, plan, clock.now(), services)),
    runnerToken: services.runnerToken(uid, Math.max(1, epoch)),
  };
}

const tasksAsked = ({ metadata, spec, status }: Evaluation): AskedTasks => ({
  namespace: metadata.namespace,
  reference: spec.taskSet,
  frozen: status?.taskSet,
  field: "spec.taskSet",
  again: "a new evaluation",
});

/** Time by which credentials outlive the deadline, for the report. */
const spareSeconds = 600;

async function mint(evaluation: Evaluation, plan: Plan, now: Date, services: Services): Promise<World["credentials"]> {
  const { uid, namespace, name } = evaluation.metadata;
  const seconds = Math.max(0, Math.ceil((deadlineOf(evaluation).getTime() - now.getTime()) / 1000)) + spareSeconds;
  const read = [plan.taskSet, ...plan.arms.flatMap((arm) => [...arm.adapters, ...(arm.context?.artifacts ?? [])])];
  const access = [
    ...[...new Set(read.map(({ repository }) => repository))].map((repository) => ({ repository, actions: ["pull"] as const })),
    { repository: repositoryOf.reports(namespace), actions: ["pull", "push"] as const },
  ];
  return {
    nats: await services.natsCredentials({ kind: "evaluation", uid, seconds }),
    registry: await services.registryToken({ namespace, subject: `Evaluation ${namespace}/${name}`, access, seconds }),
  };
}

async function observeLog(evaluation: Evaluation, services: Services): Promise<LogState> {
  try {
    return await services.logs.foldLog(evaluationSubject(evaluation.metadata.uid), judgedSoFar);
  } catch (error) {
    return { unavailable: (error as Error).message };
  }
}

type Choices = Pick<World, "selected" | "told" | "residents" | "runs">;
const nothingToPlan: Choices = { selected: new Map(), told: new Map(), residents: new Map(), runs: new Map() };

/** What a plan is made from, apart from the tasks. */
function observeChoices({ metadata: { namespace }, spec }: Evaluation, cache: Cache): Choices {
  const byArm = <T>(labelsOf: (arm: Arm) => Readonly<Record<string, string>> | undefined, list: (labels: Record<string, string>) => T[]) =>
    new Map(
      spec.arms.flatMap((arm) => {
        const labels = labelsOf(arm);
        return labels ? [[arm.name, list(labels)] as const] : [];
      }),
    );
  const servers = new Set(spec.arms.map((arm) => arm.serverRef.name));
  return {
    selected: byArm(
      (arm) => arm.adapters?.matchLabels,
      (labels) => cache(adapters).list({ namespace, labels }),
    ),
    told: byArm(
      (arm) => arm.context?.sessions?.matchLabels,
      (labels) => cache(agentSessions).list({ namespace, labels }),
    ),
    residents: new Map([...servers].map((server) => [server, residentsOf(server, namespace, cache)])),
    runs: new Map(
      cache(trainingRuns)
        .list({ namespace })
        .map((run) => [run.metadata.name, run]),
    ),
  };
}

function residentsOf(server: string, namespace: string, cache: Cache): string[] {
  const resident = cache(modelServers).get({ namespace, name: server })?.spec.adapters.resident;
  if (!resident) return [];
  const isWanted = ({ metadata, status }: Adapter) => !metadata.deletionTimestamp && !status?.archived;
  return cache(adapters)
    .list({ namespace, labels: resident.matchLabels ?? {} })
    .filter(isWanted)
    .map(({ metadata }) => metadata.name);
}
