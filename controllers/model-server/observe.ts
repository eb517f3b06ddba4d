import { LoaderDenied } from "@rune/clients/loader/loader";
import { type ModelServer, modelServer } from "@rune/crds/kinds/model-server";
import {
  type Cache,
  type Context,
  configMaps,
  type DynamicObject,
  services as kubeServices,
  networkPolicies,
  pods,
  secrets,
  statefulSets,
} from "kopf-ts";
import { observeBase } from "../pods/base-model.ts";
import type { KubeObject } from "../pods/manifest.ts";
import { observeRefusal } from "../pods/refusal.ts";
import { type User, usersIn } from "../shared/adapter-users.ts";
import { observeRequirements } from "../shared/requires.ts";
import { adapters, agentSessions, evaluations } from "../shared/resources.ts";
import type { Services } from "../shared/services.ts";
import { foreignRepository } from "../shared/tenancy.ts";
import { demands, endedByUse, lastUses, useKey } from "./claims.ts";
import { inputsName, podLabels, tokenRenewalAnnotation } from "./manifests.ts";
import type { Engine, World } from "./world.ts";

/** The built-in kinds that a server creates and watches. */
export const owned = [configMaps, networkPolicies, kubeServices, statefulSets];

/** Lifetime of stagers' tokens, which are renewed after half of it. */
const stagerTokenSeconds = 24 * 3600;

/** All reads of a pass. */
export async function observe(server: ModelServer, ctx: Context, services: Services, wake: () => void): Promise<World> {
  const { namespace, name } = server.metadata;
  const { cache } = ctx;
  const known = cache(adapters).list({ namespace });
  const own = cache(pods).list({ namespace, labels: podLabels(server) });
  const engines = await observeEngines(own, ctx, services, wake);
  const statefulSet = cache(statefulSets).get({ namespace, name });
  return {
    server,
    config: services.config,
    requirements: observeRequirements(server, cache),
    leaderWorkerSets: server.spec.nodesPerReplica > 1 && (await hasLeaderWorkerSets(ctx)),
    base: await observeOwnBase(server, services),
    adminKeys: services.adminKeys,
    statefulSet,
    existing: (manifest: KubeObject) => {
      const resource = owned.find(({ kind }) => kind === manifest.kind);
      return resource && cache(resource).get(manifest.metadata);
    },
    engines,
    refusal: await observeRefusal(statefulSet, own, ctx),
    stagerToken: await mintStagerToken(server, ctx, services),
    adapters: new Map(known.map((adapter) => [adapter.metadata.name, adapter])),
    demands: demands(server, known, usersIn(namespace, cache)),
    lastUses: lastUses(server, endedUsersOf(server, engines, cache)),
  };
}

/** What has used the adapters that are loaded now, and has ended. */
function endedUsersOf({ metadata }: ModelServer, engines: readonly Engine[], cache: Cache): User[] {
  const loaded = new Set(engines.flatMap(({ state }) => state?.adapters.map(({ name }) => name) ?? []));
  const users = (adapter: string): User[] => {
    const use = useKey(metadata.namespace, metadata.name, adapter);
    return [...cache(agentSessions).byIndex(endedByUse, use), ...cache(evaluations).byIndex(endedByUse, use)];
  };
  return [...loaded].flatMap(users);
}

/** Each loader is asked at the same time; one that doesn't answer costs the pass its time limit, not the pass. */
async function observeEngines(
  found: readonly DynamicObject[],
  { logger }: Context,
  services: Services,
  wake: () => void,
): Promise<Engine[]> {
  const sorted = found.toSorted((a, b) => a.metadata.name.localeCompare(b.metadata.name));
  return await Promise.all(
    sorted.map(async (pod) => {
      const ip: string | undefined = pod.status?.podIP;
      if (!ip || !isLoaderRunning(pod) || !pod.metadata.uid) return { pod, state: undefined };
      const address = { ip, podUID: pod.metadata.uid };
      services.followDemand(address, wake);
      try {
        return { pod, state: await services.loader(address).state() };
      } catch (error) {
        logger.debug("a loader doesn't answer", { pod: pod.metadata.name, error: (error as Error).message });
        return { pod, state: undefined, isDenied: error instanceof LoaderDenied };
      }
    }),
  );
}

function isLoaderRunning(pod: DynamicObject): boolean {
  const statuses: { name: string; state?: { running?: object } }[] = pod.status?.initContainerStatuses ?? [];
  return statuses.some(({ name, state }) => name === "loader" && state?.running !== undefined);
}

/** Reads the registry until the identity is known. The identity of other bases is only known to stagers. */
async function observeOwnBase(server: ModelServer, services: Services): Promise<World["base"]> {
  if (server.status?.baseDigest || !server.spec.base.oci) return undefined;
  return await observeBase(server.spec.base, [], (repository) => services.registry(server.metadata.namespace, repository, ["pull"]));
}

async function mintStagerToken(server: ModelServer, { client, clock, signal }: Context, services: Services): Promise<World["stagerToken"]> {
  const repository = server.spec.base.oci?.repository;
  const { namespace, name } = server.metadata;
  if (!repository || foreignRepository(repository, namespace)) return undefined;
  const secret = await client.find(secrets, { namespace, name: inputsName(server) }, { signal });
  const renewal = secret?.metadata.annotations?.[tokenRenewalAnnotation];
  if (renewal && new Date(renewal) > clock.now()) return undefined;
  const subject = `${modelServer.kind} ${namespace}/${name}`;
  const token = await services.registryToken({
    namespace,
    subject,
    access: [{ repository, actions: ["pull"] }],
    seconds: stagerTokenSeconds,
  });
  return { token, renewal: new Date(clock.now().getTime() + (stagerTokenSeconds / 2) * 1000) };
}

async function hasLeaderWorkerSets({ client }: Context): Promise<boolean> {
  try {
    await client.resources.of({ apiVersion: "leaderworkerset.x-k8s.io/v1", kind: "LeaderWorkerSet" });
    return true;
  } catch {
    return false;
  }
}
