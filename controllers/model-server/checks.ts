import { isResolved } from "../pods/base-model.ts";
import type { Check } from "../shared/check.ts";
import { Reason } from "../shared/reasons.ts";
import { requirementsMet } from "../shared/requires.ts";
import { foreignRepository } from "../shared/tenancy.ts";
import { engineArgumentsAllowed } from "./engine-container.ts";
import { stagedDigest } from "./pod-state.ts";
import type { World } from "./world.ts";

/** Requirements hold a server back before it starts, not while it serves. */
const mayStart: Check<World> = (world) => (world.statefulSet ? null : requirementsMet(world));

const oneNode: Check<World> = ({ server, leaderWorkerSets }) => {
  if (server.spec.nodesPerReplica === 1) return null;
  if (!leaderWorkerSets) {
    return {
      reason: Reason.LeaderWorkerSetMissing,
      message: `spec.nodesPerReplica is ${server.spec.nodesPerReplica}, which needs the LeaderWorkerSet API (leaderworkerset.x-k8s.io/v1), and the cluster doesn't have it; install LeaderWorkerSet, or use one node`,
      retrySeconds: 300,
    };
  }
  return {
    reason: Reason.NodesPerReplicaUnsupported,
    message: `spec.nodesPerReplica is ${server.spec.nodesPerReplica}; this version serves a replica on one node only, so create another server with nodesPerReplica: 1`,
  };
};

/** An engine whose build lacks the requested quantization would crash at every start. */
const quantizationServed: Check<World> = ({ server, config }) => {
  if (server.spec.quantization === "None" || config.engine.device !== "CPU") return null;
  return {
    reason: Reason.QuantizationUnsupported,
    message: `spec.quantization is ${server.spec.quantization}, which engines on CPUs don't serve; create another server without it. An adapter that was trained with it is served in bf16 too`,
  };
};

const ownBase: Check<World> = ({ server: { metadata, spec } }) => foreignRepository(spec.base.oci?.repository, metadata.namespace);

/** Blocks until the registry has confirmed the base. Running pods don't need the registry. */
const baseKnown: Check<World> = ({ base }) => {
  if (!base || isResolved(base)) return null;
  if (base.missing) return { reason: Reason.BaseModelUnavailable, message: base.unresolved, retrySeconds: 300 };
  return { reason: Reason.RegistryUnavailable, message: base.unresolved, retrySeconds: 15 };
};

/** The base's identity never changes during the server's life. */
const baseUnchanged: Check<World> = ({ server, engines }) => {
  const known = server.status?.baseDigest;
  const other = engines.find(({ pod }) => known && stagedDigest(pod) && stagedDigest(pod) !== known);
  if (!other) return null;
  return {
    reason: Reason.BaseModelChanged,
    message: `pod ${other.pod.metadata.name} staged a base model with the identity ${stagedDigest(other.pod)}, and this server's is ${known}; restore the files, or create a new ModelServer for the new ones`,
  };
};

export const checks: readonly Check<World>[] = [
  ownBase,
  mayStart,
  engineArgumentsAllowed,
  quantizationServed,
  oneNode,
  baseKnown,
  baseUnchanged,
];
