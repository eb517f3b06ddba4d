import { Registry } from "@rune/clients/registry/registry";
import { MemoryRegistry } from "@rune/clients/testing/memory-registry";
import { mediaType } from "@rune/crds/contracts/artifact";
import type { AgentSession } from "@rune/crds/kinds/agent-session";
import { resourceOf } from "@rune/crds/kinds/kind";
import { kinds } from "@rune/crds/kinds/kinds";
import {
  isTrue,
  type KubeObject,
  Manager,
  namespaces,
  networkPolicies,
  pods,
  secrets,
  services as serviceResource,
  silentLogger,
  statefulSets,
} from "kopf-ts";
import { FakeApiServer, VirtualClock } from "kopf-ts/testing";
import { afterEach, beforeEach, expect, it } from "vitest";
import { register as registerAdapter } from "../adapter/controller.ts";
import { register as registerModelServer } from "../model-server/controller.ts";
import { adapters, agentSessions, modelServers } from "../shared/resources.ts";
import type { Services } from "../shared/services.ts";
import { FakeLoaders } from "../testing/fake-loaders.ts";
import { adapter, baseDigest, claiming, condition, config, digestOf, enginePod, modelServer } from "../testing/objects.ts";

let api: FakeApiServer;
let registry: MemoryRegistry;
let loaders: FakeLoaders;
let clock: VirtualClock;
let manager: Manager;

const key = (name: string) => ({ namespace: "default", name });
let podUID: string;
const find = () => ({ server: api.find(modelServers, key("coder")) });

beforeEach(async () => {
  api = await FakeApiServer.start({ resources: kinds.map(resourceOf) });
  api.put(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
  registry = await MemoryRegistry.start();
  loaders = new FakeLoaders();
  clock = new VirtualClock("2026-03-01T00:00:00Z");
  const services: Services = {
    config,
    registry: () => new Registry({ url: registry.url, clock: impatient }),
    bundledTaskSet: unexpected,
    registryToken: async ({ access }) => `token for ${access.map(({ repository, actions }) => `${repository} ${actions}`)}`,
    natsCredentials: unexpected,
    nonce: unexpected,
    runnerToken: unexpected,
    logs: { readLog: unexpected, foldLog: unexpected },
    progress: () => undefined,
    mlflow: undefined,
    events: undefined,
    onNotice: () => undefined,
    loader: loaders.loader,
    followDemand: loaders.followDemand,
    adminKeys: { keys: [] },
    clusterDNS: "10.96.0.10",
  };
  manager = new Manager({ client: api.client(), clock, logger: silentLogger, freeze: "deep" });
  registerAdapter(manager, services);
  registerModelServer(manager, services);
  await manager.start();
});

afterEach(async () => {
  await manager.stop();
  await api.stop();
  await registry.stop();
});

/** The registry client's retries have no delay. */
const impatient = { now: () => Date.now(), wait: async () => undefined, random: () => 0 };

function unexpected(): never {
  throw new Error("no controller of this test should ask for this");
}

/** Advances the virtual clock until `condition`; only loopback requests take real time. */
async function until(what: string, condition: () => boolean): Promise<void> {
  for (let seconds = 0; seconds < 300; seconds++) {
    if (condition()) return;
    await clock.advance(1000);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  throw new Error(`${what} didn't come true within 300 seconds`);
}

/** Plays the StatefulSet controller and the kubelet. */
function startPod(): void {
  const set = api.find(statefulSets, key("coder"));
  const template = set?.spec.template.metadata;
  api.put(statefulSets, {
    ...set,
    status: { observedGeneration: set?.metadata.generation, replicas: 1, updatedReplicas: 1 },
  } as unknown as KubeObject);
  const pod = enginePod("coder-0", {
    podIP: "10.0.0.1",
    conditions: [{ type: "Ready", status: "True" }],
    initContainerStatuses: [{ name: "loader", state: { running: {} } }],
  });
  podUID = api.put(pods, { ...pod, metadata: { ...pod.metadata, labels: template.labels } }).metadata.uid ?? "";
  loaders.boot(podUID, { baseDigest });
}

function publishBase() {
  const blob = registry.put({ schema: "rune.dev/model/v1", name: "coder", digest: baseDigest, files: {} });
  const { digest } = registry.put({
    schemaVersion: 2,
    artifactType: mediaType.model,
    config: { mediaType: mediaType.model, ...blob },
    layers: [],
  });
  return modelServer("coder", { spec: { base: { oci: { repository: "rune/models/coder", digest } } } });
}

function publishAdapter(layer = { mediaType: mediaType.adapterFile, ...registry.put("weights") }) {
  const { spec } = adapter("any");
  const { base, rank, alpha, targetModules, scope, source, generation } = spec;
  const blob = registry.put({
    schema: "rune.dev/adapter/v1",
    base,
    rank,
    alpha,
    targetModules,
    scope,
    source,
    generation,
    parents: [],
    files: {},
  });
  const { digest } = registry.put({
    schemaVersion: 2,
    artifactType: mediaType.adapter,
    config: { mediaType: mediaType.adapter, ...blob },
    layers: [layer],
  });
  const artifact = { repository: "rune/default/adapters", digest, sizeBytes: layer.size };
  return adapter(`tessera-${digest.slice(7, 23)}`, { spec: { artifact }, status: undefined });
}

it("a server starts from its object, is Ready once its engine answers, and asks the API for nothing more", async () => {
  api.put(modelServers, publishBase());
  await until("the StatefulSet exists", () => api.find(statefulSets, key("coder")) !== undefined);
  expect(api.find(networkPolicies, key("coder"))).toBeDefined();
  expect(api.find(serviceResource, key("coder"))).toBeDefined();
  const token = Buffer.from(api.find(secrets, key("coder-engine"))?.data["registry-token"], "base64").toString();
  expect(token).toBe("token for rune/models/coder pull");
  expect(isTrue(find().server ?? {}, "Ready")).toBe(false);
  startPod();
  await until("the server is Ready", () => isTrue(find().server ?? {}, "Ready"));
  expect(find().server?.status).toMatchObject({ baseDigest, readyReplicas: 1, engines: [{ pod: "coder-0", ready: true }] });
  const writes = () => api.requests.filter(({ method }) => method !== "GET").length;
  const before = writes();
  await clock.advance(60_000);
  expect(writes()).toBe(before);
});

it("an adapter is verified, loaded for the session that picked it, protected while in use, and unloaded when it goes", async () => {
  const server = publishBase();
  const learnt = publishAdapter();
  const { name } = learnt.metadata;
  api.put(modelServers, server);
  await until("the StatefulSet exists", () => api.find(statefulSets, key("coder")) !== undefined);
  startPod();
  api.put(adapters, learnt);
  await until("the adapter is verified", () => isTrue(api.find(adapters, key(name)) ?? {}, "Ready"));
  await until("the adapter is labelled", () => api.find(adapters, key(name))?.metadata.labels?.["rune.dev/tier"] === "Task");
  expect(loaders.held(podUID)).toEqual([]);

  api.put(agentSessions, claiming(name, "s"));
  await until("the adapter is told as held", () => api.find(adapters, key(name))?.status?.holders?.engines === 1);
  expect(loaders.requests[0]).toMatchObject({ baseDigest, rank: 16, registryToken: "token for rune/default/adapters pull" });
  await until("the adapter is protected", () => api.find(adapters, key(name))?.metadata.finalizers?.includes("rune.dev/in-use") === true);

  api.delete(adapters, key(name));
  await until("it is told what the deletion waits for", () => isTrue(api.find(adapters, key(name)) ?? {}, "Deleting"));
  expect(loaders.held(podUID)).toEqual([name]);
  const session = api.find(agentSessions, key("s")) as AgentSession;
  api.put(agentSessions, { ...session, status: { ...session.status, conditions: [condition("Succeeded")] } } as KubeObject);
  await until("the adapter is gone", () => api.find(adapters, key(name)) === undefined);
  expect(loaders.held(podUID)).toEqual([]);
});

it("an adapter that engines refuse is told with their reason, and isn't asked for again", async () => {
  const learnt = publishAdapter();
  const { name } = learnt.metadata;
  loaders.refusals.set(name, "NotFinite");
  api.put(modelServers, publishBase());
  await until("the StatefulSet exists", () => api.find(statefulSets, key("coder")) !== undefined);
  startPod();
  api.put(adapters, learnt);
  api.put(agentSessions, claiming(name, "s"));
  await until("the refusal is told", () => find().server?.status?.adapters?.[0]?.state === "Refused");
  expect(find().server?.status?.adapters?.[0]).toMatchObject({ name, engines: 0, reason: "NotFinite" });
  await clock.advance(60_000);
  expect(loaders.requests).toHaveLength(1);
});

it("an adapter that a client asks for by name is loaded at once; one that doesn't exist is answered", async () => {
  const learnt = publishAdapter();
  const { name } = learnt.metadata;
  api.put(modelServers, publishBase());
  await until("the StatefulSet exists", () => api.find(statefulSets, key("coder")) !== undefined);
  startPod();
  api.put(adapters, learnt);
  await until("the server is Ready", () => isTrue(find().server ?? {}, "Ready"));
  await until("the operator has seen that the adapter is verified", () => isTrue(manager.cache(adapters).get(key(name)) ?? {}, "Ready"));
  const asked = clock.now().getTime();
  loaders.ask(podUID, "invented-0123456789abcdef", name);
  await until("the adapter is held", () => loaders.held(podUID).includes(name));
  expect(clock.now().getTime() - asked).toBeLessThanOrEqual(3_000);
  expect(loaders.requests[0]).toMatchObject({ registryToken: "token for rune/default/adapters pull" });
  expect([...loaders.answers]).toEqual([
    [
      "invented-0123456789abcdef",
      { message: expect.stringContaining("there is no Adapter invented-0123456789abcdef in namespace default") },
    ],
  ]);
  expect(isTrue(find().server ?? {}, "AdaptersLoaded")).toBe(true);
});

it("a loader whose registry is unavailable is asked again every few seconds, and its server is observed all the while", async () => {
  const learnt = publishAdapter();
  const { name } = learnt.metadata;
  loaders.registryAway = true;
  api.put(modelServers, publishBase());
  await until("the StatefulSet exists", () => api.find(statefulSets, key("coder")) !== undefined);
  startPod();
  api.put(adapters, learnt);
  api.put(agentSessions, claiming(name, "s"));
  await until("the loader was asked", () => loaders.requests.length > 0);
  const since = clock.now().getTime();
  await until("two minutes are over", () => clock.now().getTime() - since > 120_000);
  expect(loaders.requests.length).toBeGreaterThan(15);
  expect(loaders.requests.length).toBeLessThan(40);
  expect(find().server?.status?.adapters?.[0]).toMatchObject({ name, state: "Pending", reason: "RegistryUnavailable" });
  expect(isTrue(find().server ?? {}, "Ready")).toBe(true);
  loaders.registryAway = false;
  const back = clock.now().getTime();
  await until("the adapter is held", () => loaders.held(podUID).includes(name));
  expect(clock.now().getTime() - back).toBeLessThanOrEqual(10_000);
});

it("an adapter whose bytes can't be pulled doesn't keep those that are wanted after it from loading", async () => {
  const [first, second] = [publishAdapter(), publishAdapter({ mediaType: mediaType.adapterFile, ...registry.put("other weights") })];
  const [away, good] = [first.metadata.name, second.metadata.name];
  loaders.unpullable.add(away);
  api.put(modelServers, publishBase());
  await until("the StatefulSet exists", () => api.find(statefulSets, key("coder")) !== undefined);
  startPod();
  for (const each of [first, second]) api.put(adapters, each);
  api.put(agentSessions, claiming(away, "earlier"));
  api.put(agentSessions, claiming(good, "later"));
  await until("the good one is held", () => loaders.held(podUID).includes(good));
  expect(loaders.held(podUID)).toEqual([good]);
  expect(find().server?.status?.adapters).toContainEqual(expect.objectContaining({ name: away, reason: "RegistryUnavailable" }));
});

it("a loader that refuses the operator's token is told on its server until it accepts it", async () => {
  loaders.denies = true;
  api.put(modelServers, publishBase());
  await until("the StatefulSet exists", () => api.find(statefulSets, key("coder")) !== undefined);
  startPod();
  const said = () => find().server?.status?.conditions?.find(({ type }) => type === "Reconciling")?.message ?? "";
  await until("the server says so", () => said().includes("refuses the operator's token"));
  loaders.denies = false;
  await until("the server is Ready", () => isTrue(find().server ?? {}, "Ready"));
});

it("nothing is started while the registry is unavailable, and all is once it is back", async () => {
  const server = publishBase();
  registry.away = true;
  api.put(modelServers, server);
  await until(
    "the server says so",
    () => find().server?.status?.conditions?.some(({ reason }) => reason === "RegistryUnavailable") === true,
  );
  expect(api.find(statefulSets, key("coder"))).toBeUndefined();
  registry.away = false;
  await until("the StatefulSet exists", () => api.find(statefulSets, key("coder")) !== undefined);
});

it("an adapter whose weights the registry lost isn't Ready, although its manifest and config are there", async () => {
  const learnt = publishAdapter({ mediaType: mediaType.adapterFile, digest: digestOf("0"), size: 7 });
  api.put(adapters, learnt);
  const found = () => api.find(adapters, key(learnt.metadata.name))?.status?.conditions?.find(({ type }) => type === "Ready");
  await until("its status says so", () => found()?.reason === "ArtifactMissing");
  expect(found()?.message).toContain(`the registry has no ${digestOf("0")} of rune/default/adapters@`);
});
