import type { KnownEvidence } from "@rune/clients/registry/evidence";
import { ArtifactMissing, type Descriptor, DigestMismatch, type Registry, titleOf } from "@rune/clients/registry/registry";
import { adapterConfig } from "@rune/crds/contracts/artifact";
import type { Adapter } from "@rune/crds/kinds/adapter";
import type { Evaluation } from "@rune/crds/kinds/evaluation";
import { ConditionType } from "@rune/crds/words/conditions";
import { type Context, isTrue, namespaces } from "kopf-ts";
import { ZodError } from "zod";
import { nameOfUser, usersOf } from "../shared/adapter-users.ts";
import { evaluations, evolutionGenerations, modelServers } from "../shared/resources.ts";
import type { Services } from "../shared/services.ts";
import { reverifySeconds } from "./decide.ts";
import { isDue, observeEvidence } from "./evidence.ts";
import type { ArtifactState, World } from "./world.ts";

const evaluationsByAdapter = ({ metadata, spec }: Evaluation) =>
  spec.arms.flatMap(({ adapter }) => (adapter ? [`${metadata.namespace}/${adapter}`] : []));

/** All reads of a pass. */
export async function observe(adapter: Adapter, ctx: Context, services: Services, known: KnownEvidence): Promise<World> {
  const { namespace, name } = adapter.metadata;
  const { cache } = ctx;
  const measuring = cache(evaluations).byIndex(evaluationsByAdapter, `${namespace}/${name}`);
  const decisions = cache(evolutionGenerations)
    .list({ namespace })
    .flatMap(({ status }) => status?.decisions ?? [])
    .filter(({ digest }) => digest === adapter.spec.artifact.digest);
  const leaving = adapter.metadata.deletionTimestamp !== undefined;
  const artifact: ArtifactState =
    leaving || isFresh(adapter, ctx.clock.now()) ? { state: "VerifiedBefore" } : await observeArtifact(adapter, services);
  const isRead = !leaving && isDue(adapter, artifact, measuring, decisions);
  return {
    adapter,
    artifact,
    evidence: isRead ? await observeEvidence(adapter, services, known, ctx.clock.now()) : { state: "NotRead" },
    servers: cache(modelServers).list({ namespace }),
    evaluations: measuring,
    claims: usersOf(adapter, cache).map(nameOfUser),
    namespaceTerminating: leaving && (await isTerminating(namespace, ctx)),
  };
}

/** Verified recently, and for this spec (which is immutable). */
function isFresh(adapter: Adapter, now: Date): boolean {
  const time = adapter.status?.verified?.time;
  return isTrue(adapter, ConditionType.Ready) && time !== undefined && now.getTime() - new Date(time).getTime() < reverifySeconds * 1000;
}

async function observeArtifact({ metadata, spec }: Adapter, services: Services): Promise<ArtifactState> {
  const { repository, digest } = spec.artifact;
  try {
    const registry = services.registry(metadata.namespace, repository, ["pull"]);
    const { manifest, sizeBytes } = await registry.manifest(repository, digest);
    const { artifactType, layers } = manifest;
    const config = await registry.json(repository, manifest.config, adapterConfig).catch((error: unknown) => {
      if (error instanceof ZodError) return undefined;
      throw error;
    });
    const lost = await missingFile(registry, repository, layers);
    if (lost) return { state: "Missing", file: lost };
    return { state: "Found", artifactType, config, sizeBytes, files: layers.length };
  } catch (error) {
    const { message } = error as Error;
    if (error instanceof ArtifactMissing) return { state: "Missing" };
    if (error instanceof DigestMismatch) return { state: "Mismatched", message };
    return { state: "Unavailable", message };
  }
}

/** The first file that the registry doesn't have. Bytes aren't fetched: loaders hash them before every load. */
async function missingFile(registry: Registry, repository: string, layers: readonly Descriptor[]): Promise<string | undefined> {
  for (const layer of layers) if (!(await registry.has(repository, layer.digest))) return titleOf(layer) ?? layer.digest;
  return undefined;
}

async function isTerminating(namespace: string, { client, signal }: Context): Promise<boolean> {
  const found = await client.find(namespaces, { name: namespace }, { signal });
  return !found || found.metadata.deletionTimestamp !== undefined;
}
