import { type Context, configMaps, type KubeObject, networkPolicies, pods, secrets } from "kopf-ts";
import { ownChild } from "../pods/pod.ts";
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
  const found = await Promise.all(credentials.map((name) => client.find(secrets, { namespace, name })));
  const documents = workers.map((name) => cache(configMaps).get({ namespace, name }));
  const spent = [...found, ...documents].map((object) => ownChild(owner, object)).filter((object) => object !== undefined);
  const isGuarding = cache(pods).list({ namespace, labels: ownedBy(owner, "sandbox") }).length > 0;
  return isGuarding ? spent : [...spent, policy];
}
