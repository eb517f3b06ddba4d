import { isDeepStrictEqual } from "node:util";
import { type AdapterConfig, mediaType } from "@rune/crds/contracts/artifact";
import type { Adapter } from "@rune/crds/kinds/adapter";
import { ConditionType } from "@rune/crds/words/conditions";
import { isTrue } from "kopf-ts";
import type { Check } from "../shared/check.ts";
import { Reason } from "../shared/reasons.ts";
import { foreignRepository } from "../shared/tenancy.ts";
import type { World } from "./world.ts";

const referenceOf = ({ spec }: Adapter) => `${spec.artifact.repository}@${spec.artifact.digest}`;

const ownRepository: Check<World> = ({ adapter }) => foreignRepository(adapter.spec.artifact.repository, adapter.metadata.namespace);

/** A verified adapter stays Ready while the registry is unavailable: an artifact never changes under its digest. */
const registryAnswers: Check<World> = ({ adapter, artifact }) =>
  artifact.state === "Unavailable" && !isTrue(adapter, ConditionType.Ready)
    ? {
        reason: Reason.RegistryUnavailable,
        message: `can't verify ${referenceOf(adapter)} now: ${artifact.message}; it is tried again`,
        retrySeconds: 15,
      }
    : null;

const artifactThere: Check<World> = ({ adapter, artifact }) =>
  artifact.state === "Missing"
    ? {
        reason: Reason.ArtifactMissing,
        message: `the registry has no ${artifact.file ? `${artifact.file} of ` : ""}${referenceOf(adapter)}; push the artifact again (equal bytes get the equal digest), or delete this Adapter`,
        retrySeconds: 300,
      }
    : null;

const digestRight: Check<World> = ({ adapter, artifact }) =>
  artifact.state === "Mismatched"
    ? {
        reason: Reason.DigestMismatch,
        message: `${artifact.message}; nothing was loaded. The registry's storage of ${adapter.spec.artifact.repository} is damaged: restore it, or push the artifact again`,
      }
    : null;

const isAdapter: Check<World> = ({ adapter, artifact }) => {
  if (artifact.state !== "Found") return null;
  if (artifact.artifactType !== mediaType.adapter) {
    return {
      reason: Reason.NotAnAdapter,
      message: `${referenceOf(adapter)} is of type ${artifact.artifactType ?? "unknown"}, not ${mediaType.adapter}; name an adapter artifact in a new Adapter`,
    };
  }
  if (artifact.config) return null;
  return {
    reason: Reason.NotAnAdapter,
    message: `the config blob of ${referenceOf(adapter)} is not a rune.dev/adapter/v1 document; publish the adapter with this version's trainer`,
  };
};

/** The spec must match the artifact's config, because people and schedulers rely on the spec. */
const specAgrees: Check<World> = ({ adapter, artifact }) => {
  if (artifact.state !== "Found" || !artifact.config) return null;
  const difference = firstDifference(adapter, artifact.config, artifact.sizeBytes);
  if (!difference) return null;
  const [field, said, found] = difference;
  return {
    reason: Reason.SpecDiffersFromArtifact,
    message: `spec.${field} is ${show(said)}, but ${referenceOf(adapter)} says ${show(found)}; delete this Adapter and create it with what the artifact says`,
  };
};

type Difference = readonly [field: string, said: unknown, found: unknown];

function firstDifference({ spec }: Adapter, config: AdapterConfig, sizeBytes: number): Difference | undefined {
  const pairs: Difference[] = [
    ["base", spec.base, config.base],
    ["rank", spec.rank, config.rank],
    ["alpha", spec.alpha, config.alpha],
    ["targetModules", spec.targetModules.toSorted(), config.targetModules.toSorted()],
    ["scope", spec.scope, config.scope],
    ["source", spec.source, config.source],
    ["parents", spec.parents ?? [], config.parents],
    ["generation", spec.generation, config.generation],
    ["control", spec.control, config.control],
    ["artifact.sizeBytes", spec.artifact.sizeBytes, sizeBytes],
  ];
  return pairs.find(([, said, found]) => !isDeepStrictEqual(plain(said), plain(found)));
}

/** As in JSON, absent and undefined are equal. */
const plain = (value: unknown): unknown => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)));
const show = (value: unknown) => (typeof value === "string" ? value : (JSON.stringify(value) ?? "unset"));

export const checks: readonly Check<World>[] = [ownRepository, registryAnswers, artifactThere, digestRight, isAdapter, specAgrees];
