import { ArtifactMissing, DigestMismatch, layerOf } from "@rune/clients/registry/registry";
import { learntFile, learntFrom } from "@rune/crds/contracts/artifact";
import type { Adapter } from "@rune/crds/kinds/adapter";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import type { Cache } from "kopf-ts";
import { ZodError } from "zod";
import { adapters, trainingRuns } from "../shared/resources.ts";
import type { Services } from "../shared/services.ts";
import type { TrainingData, Unavailable } from "./world.ts";

const largestLearnt = 64 * 1024 * 1024;

/**
 * What each adapter has learnt from: the artifacts that its run names; if that was deleted, those of its parents; else
 * the digests in its artifact's `corpus.json`, which are looked up in `/trajectories` beside the adapters.
 */
export async function readTrainingData(
  names: readonly string[],
  namespace: string,
  cache: Cache,
  services: Services,
): Promise<ReadonlyMap<string, TrainingData> | Unavailable> {
  const get = (name: string) => cache(adapters).get({ namespace, name });
  const known = new Map<string, TrainingData | null>();
  try {
    const found = new Map<string, TrainingData>();
    for (const name of names) {
      const adapter = get(name);
      if (adapter)
        found.set(name, (await ofRuns(adapter, { cache, services, known })) ?? { artifacts: await ofArtifact(adapter, services) });
    }
    return found;
  } catch (error) {
    return { unavailable: (error as Error).message };
  }
}

/** `known`: by name, what was found of an adapter; ancestors are common to many. */
interface Lineage {
  readonly cache: Cache;
  readonly services: Services;
  readonly known: Map<string, TrainingData | null>;
}

/** According to runs; null where one was deleted, or where an adapter names itself among its ancestors. */
async function ofRuns(adapter: Adapter, lineage: Lineage): Promise<TrainingData | null> {
  const { name } = adapter.metadata;
  const found = lineage.known.get(name);
  if (found !== undefined) return found;
  lineage.known.set(name, null);
  const data = await ofRunAndParents(adapter, lineage);
  lineage.known.set(name, data);
  return data;
}

async function ofRunAndParents(adapter: Adapter, lineage: Lineage): Promise<TrainingData | null> {
  const { cache, services } = lineage;
  const { namespace } = adapter.metadata;
  const { source, parents = [] } = adapter.spec;
  const run = source.kind === "TrainingRun" && source.name ? cache(trainingRuns).get({ namespace, name: source.name }) : undefined;
  const own = run && run.metadata.uid === source.uid ? run : undefined;
  const trajectories = own ? await ownTrajectories(adapter, own, services) : [];
  if (own && parents.length === 0 && trajectories.length > 0)
    return { artifacts: trajectories.map(artifactOf), sft: own.spec.sft, include: own.spec.corpus?.include };
  const inherited: (TrainingData | null)[] = [];
  for (const { name, digest } of parents) {
    const parent = cache(adapters).get({ namespace, name });
    inherited.push(parent?.spec.artifact.digest === digest ? await ofRuns(parent, lineage) : null);
  }
  if (parents.length === 0 || inherited.some((each) => each === null)) return null;
  const all = inherited.flatMap((each) => each ?? []);
  const told = all.find(({ sft }) => sft);
  return {
    artifacts: eachOnce([...trajectories.map(artifactOf), ...all.flatMap(({ artifacts }) => artifacts)]),
    sft: told?.sft,
    include: told?.include,
  };
}

/** Of a run that makes an adapter of each session: the one that this adapter's own artifact names. */
async function ownTrajectories(adapter: Adapter, { spec, status }: TrainingRun, services: Services): Promise<TrainingData["artifacts"]> {
  const all = status?.corpus?.trajectories ?? [];
  if (spec.generate?.each !== "Session") return all;
  const named = new Set((await ofArtifact(adapter, services)).map(({ digest }) => digest));
  const own = all.filter(({ digest }) => named.has(digest));
  return own.length > 0 ? own : all;
}

/** By digest. */
export const eachOnce = (artifacts: TrainingData["artifacts"]): TrainingData["artifacts"] => [
  ...new Map(artifacts.map((artifact) => [artifact.digest, artifact])).values(),
];

const artifactOf = ({ repository, digest }: TrainingData["artifacts"][number]) => ({ repository, digest });

async function ofArtifact({ metadata, spec }: Adapter, services: Services): Promise<TrainingData["artifacts"]> {
  const { repository, digest } = spec.artifact;
  const registry = services.registry(metadata.namespace, repository, ["pull"]);
  try {
    const { manifest } = await registry.manifest(repository, digest);
    const layer = layerOf(manifest, learntFile);
    if (!layer) return [];
    const { trajectories } = await registry.json(repository, layer, learntFrom, largestLearnt);
    return trajectories.map((each) => ({ repository: repository.replace(/[^/]*$/, "trajectories"), digest: each }));
  } catch (error) {
    if (error instanceof ArtifactMissing || error instanceof DigestMismatch || error instanceof ZodError) return [];
    throw error;
  }
}
