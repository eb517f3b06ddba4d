import { ArtifactMissing, DigestMismatch, largestTaskSet } from "@rune/clients/registry";
import { clusterOf, evaluationSubject, taskSet } from "@rune/crds/artifact";
import type { Evaluation } from "@rune/crds/evaluation";
import { type Context, configMaps, isTerminal, jobs, pods } from "kopf-ts";
import { prettifyError, ZodError } from "zod";
import { probeTargets } from "../cluster-services.ts";
import type { Services } from "../context.ts";
import { leftoversOf } from "../epoch.ts";
import { jobNameOfEpoch, repositoryOf, sandboxName } from "../names.ts";
import { ownChild } from "../pod.ts";
import { observeRefusal } from "../refusal.ts";
import { observeRequirements } from "../requires.ts";
import { adapters, agentSessions, evaluations, modelServers } from "../resources.ts";
import { liveSandboxUIDs, ownedBy, sandboxState } from "../sandbox.ts";
import { workerState } from "../worker.ts";
import { activeArm, deadlineOf, measuredTasks } from "./arms.ts";
import { type LogState, summarize, type World } from "./world.ts";

/** Every read of a pass. */
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
  const server = activeArm(evaluation)?.serverRef.name ?? "";
  const over = isTerminal(evaluation) || evaluation.metadata.deletionTimestamp !== undefined;
  const starting = sandbox.state === "Ready" && worker.state === "Absent" && !over ? sandbox : undefined;
  const log = epoch > 0 && !over ? await observeLog(evaluation, services) : summarize([]);
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
    adapters: named(
      spec.arms.map((arm) => arm.adapter),
      (each) => cache(adapters).get({ namespace, name: each }),
    ),
    libraryExists:
      !spec.sandbox.libraryConfigMap || cache(configMaps).get({ namespace, name: spec.sandbox.libraryConfigMap }) !== undefined,
    tasks: over || status?.arms ? undefined : await observeTasks(evaluation, services),
    takenUIDs: liveSandboxUIDs([...cache(agentSessions).list(), ...cache(evaluations).list()], uid),
    sandboxPod,
    sandbox,
    job,
    worker,
    progress: "completed" in log ? Object.values(log.completed).reduce((sum, each) => sum + each, 0) : 0,
    leftovers: leftoversOf(evaluation, "evaluator", cache),
    targets: starting && (await probeTargets(client, services, { namespace, name: server }, starting.hostIP)),
    log,
    credentials: starting && (await mint(evaluation, clock.now(), services)),
    runnerToken: services.runnerToken(uid, Math.max(1, epoch)),
  };
}

/** Credentials outlive the deadline by this much, for the report. */
const spareSeconds = 600;

async function mint(evaluation: Evaluation, now: Date, services: Services): Promise<World["credentials"]> {
  const { uid, namespace, name } = evaluation.metadata;
  const seconds = Math.max(0, Math.ceil((deadlineOf(evaluation).getTime() - now.getTime()) / 1000)) + spareSeconds;
  const access = [
    { repository: evaluation.spec.taskSet.repository, actions: ["pull"] as const },
    { repository: repositoryOf.reports(namespace), actions: ["pull", "push"] as const },
  ];
  return {
    nats: await services.natsCredentials({ kind: "evaluation", uid, seconds }),
    registry: await services.registryToken({ namespace, subject: `Evaluation ${namespace}/${name}`, access, seconds }),
  };
}

async function observeLog(evaluation: Evaluation, services: Services): Promise<LogState> {
  try {
    return summarize((await services.logs.readLog(evaluationSubject(evaluation.metadata.uid))).records);
  } catch (error) {
    return { unavailable: (error as Error).message };
  }
}

async function observeTasks({ metadata, spec }: Evaluation, services: Services): Promise<World["tasks"]> {
  const { repository, digest, maxTasks } = spec.taskSet;
  try {
    const registry = services.registry(metadata.namespace, repository, ["pull"]);
    const { manifest } = await registry.manifest(repository, digest);
    const layer = manifest.layers[0];
    if (!layer) return { unreadable: `${repository}@${digest} is no task set: it has no layer` };
    const set = await registry.json(repository, layer, taskSet, largestTaskSet);
    const measured = measuredTasks({ digest, maxTasks, seed: spec.seed }, set);
    return { measured, clusters: Math.min(measured.tasks, new Set(set.tasks.map(clusterOf)).size) };
  } catch (error) {
    if (error instanceof ArtifactMissing)
      return { missing: `the registry has no ${repository}@${digest}; push the task set, or correct spec.taskSet in a new evaluation` };
    if (error instanceof DigestMismatch || error instanceof ZodError)
      return { unreadable: `${repository}@${digest} is no task set: ${error instanceof ZodError ? prettifyError(error) : error.message}` };
    return { unavailable: (error as Error).message };
  }
}
