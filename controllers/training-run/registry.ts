import { ArtifactMissing, DigestMismatch, type Manifest, type Registry } from "@rune/clients/registry/registry";
import { adapterConfig, corpusAnnotation, hypernetworkConfig, mediaType, trainingAnnotation } from "@rune/crds/contracts/artifact";
import { trajectory } from "@rune/crds/contracts/trajectory";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import { ConditionType } from "@rune/crds/words/conditions";
import { isTrue } from "kopf-ts";
import { ZodError, type z } from "zod";
import { generatedName } from "../shared/names.ts";
import type { Services } from "../shared/services.ts";
import { type OutputKind, outputKindOf, outputRepositoryOf } from "./methods.ts";
import type { Artifact, ArtifactState, CorpusArtifactState, GeneratorState, MembersState, Unread } from "./world.ts";

/** The controller's reads from the registry: what a run names, and what it stored. Nothing here throws. */

/** Adapters of an index that are read, and then created, per pass. */
const mostMembers = 20;
/** Larger trajectories aren't opened to read their outcome. */
const largestTrajectory = 16 * 1024 * 1024;

class NotOurs extends Error {}

/** Maps a registry error to the caller's result. */
function unread(error: unknown): Unread {
  if (error instanceof ArtifactMissing || error instanceof DigestMismatch || error instanceof NotOurs) return { missing: error.message };
  return { unavailable: (error as Error).message };
}

const tagOf = (run: TrainingRun) => `run-${run.metadata.uid}`;

/** Reads status's digest or, if a result was lost, the run's tag, which counts if digest, config and owner agree. */
export async function observeArtifact(run: TrainingRun, services: Services, known: string | undefined): Promise<ArtifactState> {
  const repository = outputRepositoryOf(run);
  try {
    const registry = services.registry(run.metadata.namespace, repository, ["pull"]);
    const digest = known ?? (await registry.resolveTag(repository, tagOf(run)));
    if (!digest) return { missing: `no artifact is tagged ${tagOf(run)} in ${repository}` };
    return { artifact: await readers[outputKindOf(run)](run, registry, digest) };
  } catch (error) {
    return unread(error);
  }
}

const anAdapter = { artifactType: mediaType.adapter, config: adapterConfig, what: "an adapter" };

const readers: Record<OutputKind, (run: TrainingRun, registry: Registry, digest: string) => Promise<Artifact>> = {
  Adapter: async (run, registry, digest) => ({
    kind: "Adapter",
    ...(await readOwn(run, registry, digest, anAdapter)),
  }),
  Hypernetwork: async (run, registry, digest) => ({
    kind: "Hypernetwork",
    ...(await readOwn(run, registry, digest, {
      artifactType: mediaType.hypernetwork,
      config: hypernetworkConfig,
      what: "a hypernetwork",
    })),
  }),
  Adapters: readIndex,
};

interface Wanted<Config> {
  artifactType: string;
  config: z.ZodType<Config>;
  what: string;
}

type Source = { source: { uid?: string | undefined; name?: string | undefined } };

/** A manifest of the wanted type that this run (by UID) made. */
async function readOwn<Config extends Source>(run: TrainingRun, registry: Registry, digest: string, wanted: Wanted<Config>) {
  const repository = outputRepositoryOf(run);
  const { manifest, sizeBytes } = await registry.manifest(repository, digest);
  const { artifactType, annotations = {} } = manifest;
  if (artifactType !== wanted.artifactType) throw new NotOurs(`${repository}@${digest} is a ${artifactType}, not ${wanted.what}`);
  const config = await configOf(registry, repository, digest, manifest, wanted.config);
  if (config.source.uid !== run.metadata.uid)
    throw new NotOurs(`${repository}@${digest} was made by ${config.source.name}, not by this run`);
  return { digest, sizeBytes, annotations, config };
}

async function configOf<Config>(registry: Registry, repository: string, digest: string, manifest: Manifest, schema: z.ZodType<Config>) {
  try {
    return await registry.json(repository, manifest.config, schema);
  } catch (error) {
    if (error instanceof ZodError) throw new NotOurs(`the config blob of ${repository}@${digest} isn't what its type says`);
    throw error;
  }
}

/**
 * An index doesn't name its maker: its first adapter is checked here, and each of them before its Adapter is created.
 */
async function readIndex(run: TrainingRun, registry: Registry, digest: string): Promise<Artifact> {
  const repository = outputRepositoryOf(run);
  const { artifactType, manifests, annotations = {} } = await registry.index(repository, digest);
  const members = [...new Set(manifests.map((each) => each.digest))];
  const [first] = members;
  if (artifactType !== mediaType.adapters || first === undefined)
    throw new NotOurs(`${repository}@${digest} is a ${artifactType} of ${members.length} manifests, not an index of adapters`);
  await readers.Adapter(run, registry, first);
  const sizeBytes = Number(annotations[`${trainingAnnotation}sizeBytes`]) || manifests.reduce((sum, { size }) => sum + size, 0);
  return { kind: "Adapters", digest, sizeBytes, annotations, members };
}

/** The next adapters of an index that have no object yet. */
export async function observeMembers(
  run: TrainingRun,
  services: Services,
  artifact: Artifact,
  created: ReadonlySet<string>,
): Promise<MembersState | undefined> {
  if (artifact.kind !== "Adapters") return undefined;
  const repository = outputRepositoryOf(run);
  const open = artifact.members.filter((digest) => !created.has(generatedName(run.metadata, digest))).slice(0, mostMembers);
  try {
    const registry = services.registry(run.metadata.namespace, repository, ["pull"]);
    return { members: await Promise.all(open.map((digest) => readOwn(run, registry, digest, anAdapter))) };
  } catch (error) {
    return unread(error);
  }
}

/** The hypernetwork that `generate` names, directly or by its run; undefined while there is nothing to read. */
export async function observeGenerator(
  run: TrainingRun,
  generatorRun: TrainingRun | undefined,
  services: Services,
): Promise<GeneratorState | undefined> {
  const { repository, digest } = run.spec.generate?.hypernetwork ?? {};
  const result =
    generatorRun && isTrue(generatorRun, ConditionType.Succeeded) && generatorRun.spec.hypernetwork
      ? generatorRun.status?.result
      : undefined;
  const reference = repository && digest ? { repository, digest } : result && { repository: result.repository, digest: result.digest };
  if (!reference) return undefined;
  const name = `${reference.repository}@${reference.digest}`;
  try {
    const registry = services.registry(run.metadata.namespace, reference.repository, ["pull"]);
    const { manifest } = await registry.manifest(reference.repository, reference.digest);
    if (manifest.artifactType !== mediaType.hypernetwork)
      return { wrong: `${name} is a ${manifest.artifactType ?? "manifest without a type"}, not a hypernetwork` };
    return { reference, config: await configOf(registry, reference.repository, reference.digest, manifest, hypernetworkConfig) };
  } catch (error) {
    return error instanceof NotOurs ? { wrong: error.message } : unread(error);
  }
}

/** A corpus artifact's own statement: how its single session ended, or the counts in its annotations. */
export async function observeCorpusArtifact(run: TrainingRun, services: Services): Promise<CorpusArtifactState | undefined> {
  const artifact = run.spec.corpus?.artifact;
  if (!artifact) return undefined;
  const name = `${artifact.repository}@${artifact.digest}`;
  try {
    const registry = services.registry(run.metadata.namespace, artifact.repository, ["pull"]);
    const { manifest } = await registry.manifest(artifact.repository, artifact.digest);
    if (manifest.artifactType === mediaType.trajectory)
      return { counted: await countedTrajectory(registry, artifact.repository, manifest) };
    if (manifest.artifactType === mediaType.corpus) return { counted: countedCorpus(manifest) };
    return { wrong: `${name} is a ${manifest.artifactType ?? "manifest without a type"}, neither a trajectory nor a corpus` };
  } catch (error) {
    if (error instanceof ZodError) return { wrong: `${name} holds no readable trajectory` };
    return unread(error);
  }
}

type Counted = Extract<CorpusArtifactState, { counted: unknown }>["counted"];

async function countedTrajectory(registry: Registry, repository: string, { layers: [layer] }: Manifest): Promise<Counted> {
  if (!layer || layer.size > largestTrajectory) return { count: 1 };
  const { outcome, scope } = await registry.json(repository, layer, trajectory.pick({ outcome: true, scope: true }), largestTrajectory);
  const solved = outcome === "Solved" ? 1 : 0;
  return { count: 1, solved, tasks: solved, scope };
}

function countedCorpus({ annotations = {} }: Manifest): Counted {
  const number = (name: string) => {
    const value = annotations[`${corpusAnnotation}${name}`];
    return value !== undefined && /^[0-9]{1,4}$/.test(value) ? { [name]: Number(value) } : {};
  };
  return { ...number("count"), ...number("solved"), ...number("tasks") };
}
