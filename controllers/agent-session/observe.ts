import { ArtifactMissing, artifactDigest } from "@rune/clients/registry/registry";
import { sessionSubject } from "@rune/crds/contracts/session-log";
import type { Adapter } from "@rune/crds/kinds/adapter";
import type { AgentSession } from "@rune/crds/kinds/agent-session";
import { type Cache, type Context, configMaps, isTerminal, jobs, pods } from "kopf-ts";
import { cleanupOf } from "../epochs/cleanup.ts";
import { leftoversOf } from "../epochs/epoch.ts";
import { probeTargets } from "../epochs/probe-targets.ts";
import { liveSandboxUIDs, ownedBy, sandboxState } from "../epochs/sandbox.ts";
import { mayStillWrite, workerState } from "../epochs/worker.ts";
import { ownChild } from "../pods/pod.ts";
import { observeRefusal } from "../pods/refusal.ts";
import { jobNameOfEpoch, repositoryOf, sandboxName } from "../shared/names.ts";
import { observeRequirements } from "../shared/requires.ts";
import { adapters, modelServers, trainingRuns } from "../shared/resources.ts";
import type { Services } from "../shared/services.ts";
import type { AdmissionQueue } from "./admission.ts";
import { deadlineOf, endingOf } from "./ending.ts";
import { summarize } from "./log-summary.ts";
import { trajectoryArtifact, trajectoryOf } from "./trajectory.ts";
import type { LogState, SealState, World } from "./world.ts";

/** Every read of a pass. */
export async function observe(session: AgentSession, context: Context, services: Services, queue: AdmissionQueue): Promise<World> {
  const { cache, client, clock } = context;
  const { namespace, uid } = session.metadata;
  const { spec, status } = session;
  const epoch = status?.epoch ?? 0;
  const server = cache(modelServers).get({ namespace, name: spec.serverRef.name });
  const sandboxPod = ownChild(session, cache(pods).get({ namespace, name: sandboxName(session, epoch) }));
  const sandbox = sandboxState(sandboxPod);
  const job = ownChild(session, cache(jobs).get({ namespace, name: jobNameOfEpoch(session, epoch) }));
  const agents = cache(pods).list({ namespace, labels: ownedBy(session, "agent") });
  const worker = workerState({ job, pods: agents, refusal: await observeRefusal(job, agents, context) }, "agent", clock.now());
  const over = isTerminal(session) || session.metadata.deletionTimestamp !== undefined;
  const starting = sandbox.state === "Ready" && worker.state === "Absent" && !over ? sandbox : undefined;
  const log = epoch > 0 && !over ? await observeLog(session, services) : emptyLog;
  const runNamed = (name?: string) => (name ? cache(trainingRuns).get({ namespace, name }) : undefined);
  const ending = over ? undefined : endingOf(session, worker, log, clock.now());
  return {
    session,
    requirements: observeRequirements(session, cache),
    server,
    adapters: candidates(session, cache),
    libraryExists:
      !spec.sandbox.libraryConfigMap || cache(configMaps).get({ namespace, name: spec.sandbox.libraryConfigMap }) !== undefined,
    admission: over ? { admitted: true } : queue.admissionOf(session, server),
    takenUIDs: over ? new Set() : liveSandboxUIDs(cache, uid),
    sandboxPod,
    sandbox,
    job,
    worker,
    progress: "summary" in log ? log.summary.programs : 0,
    leftovers: leftoversOf(session, "agent", cache),
    cleanup: ending || isTerminal(session) ? await cleanupOf(session, context) : [],
    agentWrites: mayStillWrite(agents, "agent", clock.now()),
    targets: starting && (await probeTargets(client, services, { namespace, name: spec.serverRef.name }, starting.hostIP)),
    log,
    ending,
    seal: ending && "records" in log ? await observeSeal(session, log, ending.outcome, services) : undefined,
    learning: runNamed(status?.trainingRun),
    hypernetworkRun: epoch > 0 ? undefined : runNamed(spec.learn.hypernetwork?.run),
    natsCredentials: starting && (await mint(session, clock.now(), services)),
    runnerToken: services.runnerToken(uid, Math.max(1, epoch)),
  };
}

/** Every adapter until one is chosen; then that one, if it still exists, until the work begins. */
function candidates({ metadata: { namespace }, status }: AgentSession, cache: Cache): readonly Adapter[] {
  if (!status?.adapter) return cache(adapters).list({ namespace });
  const { name } = status.adapter;
  const chosen = name && !status.epoch ? cache(adapters).get({ namespace, name }) : undefined;
  return chosen ? [chosen] : [];
}

const emptyLog: LogState = { records: [], lastSequence: 0, summary: summarize([]) };
/** Time by which credentials outlive the deadline, for the last record. */
const spareSeconds = 300;

function mint(session: AgentSession, now: Date, services: Services): Promise<string> {
  const seconds = Math.ceil((deadlineOf(session).getTime() - now.getTime()) / 1000) + spareSeconds;
  return services.natsCredentials({ kind: "session", uid: session.metadata.uid, seconds: Math.max(spareSeconds, seconds) });
}

async function observeLog(session: AgentSession, services: Services): Promise<LogState> {
  try {
    const { records, lastSequence } = await services.logs.readLog(sessionSubject(session.metadata.uid));
    return { records, lastSequence, summary: summarize(records) };
  } catch (error) {
    return { unavailable: (error as Error).message };
  }
}

/** The trajectory's digest, computed before it is stored, and whether the registry has it. */
async function observeSeal(
  session: AgentSession,
  log: Extract<LogState, { records: unknown }>,
  outcome: NonNullable<World["ending"]>["outcome"],
  services: Services,
): Promise<SealState> {
  const repository = repositoryOf.trajectories(session.metadata.namespace);
  const digest = await artifactDigest(trajectoryArtifact(trajectoryOf(session, log.records, outcome), repository));
  try {
    await services.registry(session.metadata.namespace, repository, ["pull"]).manifest(repository, digest);
    return { repository, digest, stored: true };
  } catch (error) {
    if (error instanceof ArtifactMissing) return { repository, digest, stored: false };
    return { unavailable: (error as Error).message };
  }
}
