import { ArtifactMissing, DigestMismatch } from "@rune/clients/registry";
import type { AgentSession } from "@rune/crds/agent-session";
import { adapterConfig, mediaType } from "@rune/crds/artifact";
import { label } from "@rune/crds/common";
import type { TrainingRun } from "@rune/crds/training-run";
import { type Cache, type Context, isTerminal, jobs, pods } from "kopf-ts";
import { type BaseState, isResolved, observeBase } from "../base-model.ts";
import type { Services } from "../context.ts";
import { generatedName, jobNameOfRun, repositoryOf } from "../names.ts";
import { ownChild } from "../pod.ts";
import { observeRefusal } from "../refusal.ts";
import { observeRequirements } from "../requires.ts";
import { adapters, agentSessions, modelServers } from "../resources.ts";
import { attemptState, maySurvive, remainingSeconds } from "./attempts.ts";
import { awaitsCredentials } from "./queue.ts";
import type { ArtifactState, World } from "./world.ts";

/** Credentials outlive the deadline by this much, for the last upload. */
const spareSeconds = 600;

/** Every read of a pass. */
export async function observe(run: TrainingRun, context: Context, services: Services): Promise<World> {
  const { cache, clock } = context;
  const { namespace, name } = run.metadata;
  const now = clock.now();
  const result = run.status?.result;
  const attempt = run.status?.attempts?.at(-1);
  const job = attempt && ownChild(run, cache(jobs).get({ namespace, name: jobNameOfRun(name, attempt.number) }));
  const running = attempt?.result === "Running";
  const over = isTerminal(run) || run.metadata.deletionTimestamp !== undefined;
  const starting = !over && !result && !run.spec.suspend && !(running && job);
  const own = cache(pods).list({ namespace, labels: { [label.run]: name } });
  const lost = !result && (running ? attemptState(job, own, now).state === "Silent" : !run.spec.suspend && maySurvive(run, now));
  const admitted = running && awaitsCredentials(run, job, own);
  const base = starting ? await readBase(run, cache, services) : notAsked;
  return {
    run,
    requirements: observeRequirements(run, cache),
    sessions: run.status?.corpus ? [] : corpusSessions(run, cache),
    base,
    job,
    pods: own,
    refusal: running ? await observeRefusal(job, own, context) : undefined,
    progress: services.progress(run.metadata.uid),
    artifact: !over && (result || lost) ? await observeArtifact(run, services, result?.digest) : undefined,
    credentials: admitted || (running && isResolved(base)) ? await mint(run, now, services) : undefined,
    adapter: result && cache(adapters).get({ namespace, name: generatedName(run.metadata, result.digest) }),
  };
}

const notAsked: BaseState = { unresolved: "no attempt is about to start", missing: false };

function readBase(run: TrainingRun, cache: Cache, services: Services): Promise<BaseState> {
  const servers = cache(modelServers).list({ namespace: run.metadata.namespace });
  return observeBase(run.spec.base, servers, (repository) => services.registry(run.metadata.namespace, repository, ["pull"]));
}

/** Only what this run needs: its base, its corpus, and the one repository that it may push to. */
async function mint(run: TrainingRun, now: Date, services: Services): Promise<World["credentials"]> {
  const { uid, namespace, name } = run.metadata;
  const seconds = Math.ceil(remainingSeconds(run, now)) + spareSeconds;
  const read = new Set([
    ...(run.spec.base.oci ? [run.spec.base.oci.repository] : []),
    ...(run.status?.corpus?.trajectories ?? []).map(({ repository }) => repository),
  ]);
  const access = [
    ...[...read].map((repository) => ({ repository, actions: ["pull"] as const })),
    { repository: repositoryOf.adapters(namespace), actions: ["pull", "push"] as const },
  ];
  return {
    registryToken: await services.registryToken({ namespace, subject: `TrainingRun ${namespace}/${name}`, access, seconds }),
    progress: await services.natsCredentials({ kind: "progress", uid, seconds }),
  };
}

function corpusSessions(run: TrainingRun, cache: Cache): AgentSession[] {
  const { namespace } = run.metadata;
  const { sessions, sessionNames } = run.spec.corpus;
  if (sessions) return cache(agentSessions).list({ namespace, labels: sessions.matchLabels });
  return (sessionNames ?? []).flatMap((name) => cache(agentSessions).get({ namespace, name }) ?? []);
}

/** Follows status's digest or, where a result was lost, the run's tag; a tag counts only once digest, config and owner agree. */
async function observeArtifact(run: TrainingRun, services: Services, known: string | undefined): Promise<ArtifactState> {
  const repository = repositoryOf.adapters(run.metadata.namespace);
  try {
    const registry = services.registry(run.metadata.namespace, repository, ["pull"]);
    const digest = known ?? (await registry.resolveTag(repository, `run-${run.metadata.uid}`));
    if (!digest) return { missing: `no artifact is tagged run-${run.metadata.uid} in ${repository}` };
    const { manifest, sizeBytes } = await registry.manifest(repository, digest);
    if (manifest.artifactType !== mediaType.adapter)
      return { missing: `${repository}@${digest} is a ${manifest.artifactType}, not an adapter` };
    const config = await registry.json(repository, manifest.config, adapterConfig);
    if (config.source.uid !== run.metadata.uid)
      return { missing: `${repository}@${digest} was made by ${config.source.name}, not by this run` };
    return { artifact: { digest, sizeBytes, config } };
  } catch (error) {
    if (error instanceof ArtifactMissing || error instanceof DigestMismatch) return { missing: error.message };
    return { unavailable: (error as Error).message };
  }
}
