import type { AgentSession } from "@rune/crds/kinds/agent-session";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import { label } from "@rune/crds/words/labels";
import { type Cache, type Context, isTerminal, jobs, pods } from "kopf-ts";
import { type BaseState, isResolved, observeBase } from "../pods/base-model.ts";
import { ownChild, spentLogins } from "../pods/pod.ts";
import { observeRefusal } from "../pods/refusal.ts";
import { generatedName, jobNameOfRun } from "../shared/names.ts";
import { observeRequirements } from "../shared/requires.ts";
import { adapters, agentSessions, modelServers, trainingRuns } from "../shared/resources.ts";
import type { Services } from "../shared/services.ts";
import { foreignRepository } from "../shared/tenancy.ts";
import { attemptState, maySurvive, remainingSeconds } from "./attempts.ts";
import { hasOpenInputs } from "./inputs.ts";
import { awaitsCredentials } from "./kueue.ts";
import { namedAdapters, outputRepositoryOf } from "./methods.ts";
import { adaptersOfOneTrajectory } from "./reconstruction-targets.ts";
import { observeArtifact, observeCorpusArtifact, observeGenerator, observeMembers } from "./registry.ts";
import type { ArtifactState, World } from "./world.ts";

/** Time by which credentials outlive the deadline, for the last upload. */
const spareSeconds = 600;

/** All reads of a pass. */
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
  const servers = cache(modelServers).list({ namespace });
  const base = starting ? await observeBase(run.spec.base, servers, readerOf(run, services)) : notAsked;
  const artifact = !over && (result || lost) ? await observeArtifact(run, services, result?.digest) : undefined;
  const created = new Set(namesOfResult(run, artifact).filter((each) => cache(adapters).get({ namespace, name: each })));
  return {
    run,
    requirements: observeRequirements(run, cache),
    ...(await observeInputs(run, cache, services, { starting, base })),
    servers,
    base,
    job,
    pods: own,
    refusal: running ? await observeRefusal(job, own, context) : undefined,
    progress: services.progress(run.metadata.uid),
    artifact,
    created,
    members: result && artifact && "artifact" in artifact ? await observeMembers(run, services, artifact.artifact, created) : undefined,
    spentLogins: isTerminal(run)
      ? await spentLogins(
          run,
          (run.status?.attempts ?? []).map((each) => each.job),
          context,
          services.config,
        )
      : [],
    credentials: admitted || (running && isResolved(base)) ? await mint(run, now, services) : undefined,
  };
}

/** Names of the artifact's Adapters. */
function namesOfResult({ metadata }: TrainingRun, state: ArtifactState | undefined): string[] {
  if (!state || !("artifact" in state)) return [];
  const { artifact } = state;
  return (artifact.kind === "Adapters" ? artifact.members : [artifact.digest]).map((digest) => generatedName(metadata, digest));
}

const notAsked: BaseState = { unresolved: "no attempt is about to start", missing: false };

const readerOf =
  ({ metadata }: TrainingRun, services: Services) =>
  (repository: string) =>
    services.registry(metadata.namespace, repository, ["pull"]);

type Inputs = Pick<World, "sessions" | "corpusArtifact" | "pairs" | "adapters" | "generatorRun" | "generator">;

/** What the run starts from, until it is frozen. */
async function observeInputs(
  run: TrainingRun,
  cache: Cache,
  services: Services,
  { starting, base }: { starting: boolean; base: BaseState },
): Promise<Inputs> {
  const { namespace } = run.metadata;
  const growing = run.spec.corpus !== undefined && !run.status?.corpus;
  const open = hasOpenInputs(run);
  const generatorRun = open ? cache(trainingRuns).get({ namespace, name: run.spec.generate?.hypernetwork.run ?? "" }) : undefined;
  const pairing = growing && run.spec.hypernetwork && isResolved(base);
  return {
    sessions: growing ? corpusSessions(run, cache) : [],
    corpusArtifact: growing && starting ? await observeCorpusArtifact(run, services) : undefined,
    pairs: pairing
      ? adaptersOfOneTrajectory(base.digest, cache(trainingRuns).list({ namespace }), cache(adapters).list({ namespace }))
      : new Map<string, never>(),
    adapters: open
      ? namedAdapters(run)
          .names.map((name) => cache(adapters).get({ namespace, name }))
          .filter((adapter) => adapter !== undefined)
      : [],
    generatorRun,
    generator: open && starting ? await observeGenerator(run, generatorRun, services) : undefined,
  };
}

/** Only what this run needs: read access to its base, corpus and inputs, and the one repository that it may push to. */
async function mint(run: TrainingRun, now: Date, services: Services): Promise<World["credentials"]> {
  const { uid, namespace, name } = run.metadata;
  const seconds = Math.ceil(remainingSeconds(run, now)) + spareSeconds;
  const output = outputRepositoryOf(run);
  const access = [
    ...[...readBy(run)].filter((repository) => repository !== output).map((repository) => ({ repository, actions: ["pull"] as const })),
    { repository: output, actions: ["pull", "push"] as const },
  ];
  return {
    registryToken: await services.registryToken({ namespace, subject: `TrainingRun ${namespace}/${name}`, access, seconds }),
    progress: await services.natsCredentials({ kind: "progress", uid, seconds }),
  };
}

/** Repositories that a run's trainer reads. */
function readBy({ metadata, spec, status }: TrainingRun): Set<string> {
  const { corpus, inputs } = status ?? {};
  const references = [
    ...(corpus?.trajectories.flatMap((each) => [each, ...(each.adapter ? [each.adapter] : [])]) ?? []),
    ...(inputs?.adapters ?? []),
    ...(inputs?.hypernetwork ? [inputs.hypernetwork] : []),
  ].map(({ repository }) => repository);
  // A search for weights reads trajectories, which are stored beside the adapters; other namespaces' are treated as
  // deleted.
  const searched = spec.merge?.search ? references.map((repository) => repository.replace(/[^/]*$/, "trajectories")) : [];
  const own = searched.filter((repository) => foreignRepository(repository, metadata.namespace) === null);
  return new Set([...(spec.base.oci ? [spec.base.oci.repository] : []), ...references, ...own]);
}

function corpusSessions(run: TrainingRun, cache: Cache): AgentSession[] {
  const { namespace } = run.metadata;
  const { sessions, sessionNames } = run.spec.corpus ?? {};
  if (sessions) return cache(agentSessions).list({ namespace, labels: sessions.matchLabels });
  return (sessionNames ?? []).flatMap((name) => cache(agentSessions).get({ namespace, name }) ?? []);
}
