import { isDeepStrictEqual } from "node:util";
import { ArtifactMissing, DigestMismatch, type Registry } from "@rune/clients/registry/registry";
import { modelConfig } from "@rune/crds/contracts/artifact";
import { type BaseModel, longestBaseName } from "@rune/crds/fields/base-model";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import { ZodError } from "zod";
import { hubSource } from "./pod.ts";

/** Identity of a base model: a name for people, and a digest for everything else. */
export interface BaseIdentity {
  name: string;
  digest: string;
}

/** The identity of a base model, or why it is unknown. */
export type BaseState = BaseIdentity | { unresolved: string; missing: boolean };

/**
 * The identity of a base model's files. An OCI artifact contains its own; others are known once a ModelServer of the
 * namespace has staged them.
 */
export async function observeBase(
  base: BaseModel,
  servers: readonly ModelServer[],
  registry: (repository: string) => Registry,
): Promise<BaseState> {
  if (!base.oci) return fromServers(base, servers);
  try {
    const client = registry(base.oci.repository);
    const { manifest } = await client.manifest(base.oci.repository, base.oci.digest);
    const { name, digest } = await client.json(base.oci.repository, manifest.config, modelConfig);
    return { name, digest };
  } catch (error) {
    if (error instanceof ArtifactMissing)
      return {
        missing: true,
        unresolved: `the registry has no ${base.oci.repository}@${base.oci.digest}; push the model, or correct spec.base.oci`,
      };
    if (error instanceof DigestMismatch || error instanceof ZodError)
      return { missing: true, unresolved: `${base.oci.repository}@${base.oci.digest} is no model artifact; correct spec.base.oci` };
    return { missing: false, unresolved: `can't read ${base.oci.repository}@${base.oci.digest}: ${(error as Error).message}` };
  }
}

function fromServers(base: BaseModel, servers: readonly ModelServer[]): BaseState {
  const server = servers.find(
    (candidate) => isDeepStrictEqual(sourceOf(candidate.spec.base), sourceOf(base)) && candidate.status?.baseDigest,
  );
  if (server?.status?.baseDigest) return { name: nameOf(base), digest: server.status.baseDigest };
  return {
    missing: false,
    unresolved: "the identity of spec.base isn't known yet; it is once a ModelServer with the same base has staged it",
  };
}

/** Cut, because a claim's name and the path in it may both be longer than a name for people. */
const nameOf = ({ huggingFace, pvc }: BaseModel) => (huggingFace?.repository ?? `${pvc?.claimName}/${pvc?.path}`).slice(0, longestBaseName);

const sourceOf = ({ huggingFace, pvc }: BaseModel) => ({ huggingFace: huggingFace && hubSource(huggingFace), pvc });

/** Whether two specs name the same files. */
export const sameBase = (one: BaseModel, other: BaseModel): boolean =>
  isDeepStrictEqual({ ...sourceOf(one), oci: one.oci?.digest }, { ...sourceOf(other), oci: other.oci?.digest });

export const isResolved = (state: BaseState): state is BaseIdentity => "digest" in state;
