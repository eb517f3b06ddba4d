import { ArtifactMissing, DigestMismatch, layerOf } from "@rune/clients/registry/registry";
import { learntFile, learntFrom } from "@rune/crds/contracts/artifact";
import type { Adapter } from "@rune/crds/kinds/adapter";
import type { Cache } from "kopf-ts";
import { ZodError } from "zod";
import { adapters, trainingRuns } from "../shared/resources.ts";
import type { Services } from "../shared/services.ts";
import type { Learnt, Unavailable } from "./world.ts";

const largestLearnt = 64 * 1024 * 1024;

/**
 * What each adapter has learnt from: the artifacts that its run names; if that was deleted, those of its parents; else
 * the digests in its artifact's `corpus.json`, which are looked up in `/trajectories` beside the adapters.
 */
export async function readLearnt(
  names: readonly string[],
  namespace: string,
  cache: Cache,
  services: Services,
): Promise<ReadonlyMap<string, Learnt> | Unavailable> {
  const get = (name: string) => cache(adapters).get({ namespace, name });
  try {
    const found = new Map<string, Learnt>();
    for (const name of names) {
      const adapter = get(name);
      if (adapter) found.set(name, ofRuns(adapter, cache) ?? { artifacts: await ofArtifact(adapter, services) });
    }
    return found;
  } catch (error) {
    return { unavailable: (error as Error).message };
  }
}

/** According to runs; null where one was deleted. */
function ofRuns({ metadata, spec }: Adapter, cache: Cache): Learnt | null {
  const { namespace } = metadata;
  const { source, parents = [] } = spec;
  const run = source.kind === "TrainingRun" && source.name ? cache(trainingRuns).get({ namespace, name: source.name }) : undefined;
  const own = run && run.metadata.uid === source.uid ? run : undefined;
  const trajectories = own?.status?.corpus?.trajectories ?? [];
  if (own && parents.length === 0 && trajectories.length > 0)
    return { artifacts: trajectories.map(artifactOf), sft: own.spec.sft, include: own.spec.corpus?.include };
  const inherited = parents.map(({ name, digest }) => {
    const parent = cache(adapters).get({ namespace, name });
    return parent?.spec.artifact.digest === digest ? ofRuns(parent, cache) : null;
  });
  if (parents.length === 0 || inherited.some((each) => each === null)) return null;
  const all = inherited.flatMap((each) => each ?? []);
  const told = all.find(({ sft }) => sft);
  return {
    artifacts: [...trajectories.map(artifactOf), ...all.flatMap(({ artifacts }) => artifacts)],
    sft: told?.sft,
    include: told?.include,
  };
}

const artifactOf = ({ repository, digest }: Learnt["artifacts"][number]) => ({ repository, digest });

async function ofArtifact({ metadata, spec }: Adapter, services: Services): Promise<Learnt["artifacts"]> {
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
