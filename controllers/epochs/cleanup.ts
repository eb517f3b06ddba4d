import { type Context, configMaps, type KubeObject, networkPolicies, pods } from "kopf-ts";
import { ownChild, ownSecrets } from "../pods/pod.ts";
import { jobNameOfEpoch, sandboxName, sandboxPolicyName } from "../shared/names.ts";
import type { EpochOwner } from "./epoch.ts";
import { ownedBy } from "./sandbox.ts";

/**
 * What an object whose work is over needs no more, of all its epochs: credentials and inputs, at last the policy. A policy is there before
 * anything else of an epoch and goes after everything else, so an object without one costs no request, and one with it is never tidied for
 * good: whatever was interrupted is done again. No sandbox, even one that is going, is left without its policy. Jobs go by themselves.
 */
export async function cleanupOf(
  owner: EpochOwner & KubeObject & { metadata: { uid: string } },
  { cache, client }: Pick<Context, "cache" | "client">,
): Promise<KubeObject[]> {
  const { namespace } = owner.metadata;
  const policy = ownChild(owner, cache(networkPolicies).get({ namespace, name: sandboxPolicyName(owner) }));
  if (!policy) return [];
  const epochs = Array.from({ length: owner.status?.epoch ?? 0 }, (_, index) => index + 1);
  const workers = epochs.map((epoch) => jobNameOfEpoch(owner, epoch));
  const credentials = [...workers, ...epochs.map((epoch) => sandboxName(owner, epoch))];
  const documents = workers.flatMap((name) => ownChild(owner, cache(configMaps).get({ namespace, name })) ?? []);
  const spent = [...(await ownSecrets(owner, credentials, { client })), ...documents];
  const isGuarding = cache(pods).list({ namespace, labels: ownedBy(owner, "sandbox") }).length > 0;
  return isGuarding ? spent : [...spent, policy];
}
