import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DynamicObject } from "../api/object.ts";
import { configMaps, leases, nodes, pods, resource } from "../api/resource.ts";
import { silentLogger } from "../core/logger.ts";
import { ready, unchanged } from "../outcome/outcome.ts";
import { ownerReference } from "../outcome/owner.ts";
import { eventually, FakeApiServer, VirtualClock } from "../testing/index.ts";
import { Manager } from "./manager.ts";
import type { ManagerOptions } from "./manager-options.ts";

/**
 * How caches are filled, and what a manager does while it waits: WatchList, metadata alone, namespaces, standby,
 * resync.
 */
const widgets = resource({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });
const widget = (name: string, namespace = "shop"): DynamicObject => ({
  apiVersion: "example.dev/v1",
  kind: "Widget",
  metadata: { namespace, name },
  spec: { size: 1 },
});

let server: FakeApiServer;
let clock: VirtualClock;
let managers: Manager[];
beforeEach(async () => {
  server = await FakeApiServer.start({ resources: [widgets] });
  clock = new VirtualClock();
  managers = [];
});
afterEach(async () => {
  const stopped = Promise.all(managers.map((manager) => manager.stop()));
  await clock.advance(60_000);
  await stopped;
  await server.stop();
});
function newManager(options: Partial<ManagerOptions> = {}): Manager {
  const random = () => 0.5;
  const client = server.client({ clock, random, retries: 0 });
  const manager = new Manager({ client, clock, random, logger: silentLogger, freeze: "deep", ...options });
  managers.push(manager);
  return manager;
}
const lists = () => server.requests.filter(({ method, watch }) => method === "GET" && !watch);
const names = (manager: Manager) =>
  manager
    .cache(widgets)
    .list()
    .map(({ metadata }) => metadata.name)
    .sort();

describe("WatchList", () => {
  test("fills the cache from one watch, without a list, and goes on with it", async () => {
    for (const name of ["a", "b"]) server.put(widgets, widget(name));
    const manager = newManager({ watchList: true });
    manager.cache(widgets);
    await manager.start();
    expect(names(manager)).toEqual(["a", "b"]);
    server.put(widgets, widget("c"));
    await eventually(() => names(manager).length === 3);
    await clock.advance(2_000);
    server.closeWatches();
    await eventually(() => server.watches === 1);
    server.delete(widgets, { namespace: "shop", name: "a" });
    await eventually(() => names(manager).join() === "b,c");
    expect([lists().length, server.requests.length]).toEqual([0, 2]);
    expect(server.requests[1]?.query.get("sendInitialEvents")).toBeNull();
  });

  test("a stream that is cut before its end mark publishes nothing", async () => {
    server.watchList = "endless";
    for (const name of ["a", "b"]) server.put(widgets, widget(name));
    const manager = newManager({ watchList: true });
    const cache = manager.cache(widgets);
    const seen: string[] = [];
    cache.onChange(({ object }) => seen.push(object.metadata.name));
    const starting = manager.start();
    await eventually(() => server.watches === 1);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect([cache.size, cache.hasSynced, seen]).toEqual([0, false, []]);
    server.watchList = "served";
    server.resetWatches();
    await eventually(() => cache.lastError !== undefined);
    await clock.advance(1_000);
    await starting;
    expect(seen.sort()).toEqual(["a", "b"]);
    expect(lists()).toHaveLength(0);
  });

  test("is given up for lists where the server refuses it", async () => {
    server.watchList = "refused";
    server.put(widgets, widget("a"));
    const manager = newManager({ watchList: true });
    const cache = manager.cache(widgets);
    const starting = manager.start();
    await eventually(() => cache.lastError !== undefined);
    await clock.advance(1_000);
    await starting;
    expect([names(manager), lists().length]).toEqual([["a"], 1]);
  });

  test("is given up for lists where the server does not know it, which its bookmarks betray", async () => {
    server.watchList = "ignored";
    server.put(widgets, widget("a"));
    const manager = newManager({ watchList: true });
    const cache = manager.cache(widgets);
    const starting = manager.start();
    await eventually(() => server.watches === 1);
    server.bookmark();
    await eventually(() => cache.lastError !== undefined);
    expect(cache.size).toBe(0);
    await clock.advance(1_000);
    await starting;
    expect([names(manager), lists().length]).toEqual([["a"], 1]);
  });

  test("relists by itself after 410, and what is gone by then is deleted", async () => {
    for (const name of ["a", "b"]) server.put(widgets, widget(name));
    const manager = newManager({ watchList: true });
    const cache = manager.cache(widgets);
    const deleted: string[] = [];
    cache.onChange(({ type, object }) => type === "deleted" && deleted.push(object.metadata.name));
    await manager.start();
    server.muteWatches();
    server.delete(widgets, { namespace: "shop", name: "a" });
    server.failWatches(410, "Expired");
    await eventually(() => cache.lastError !== undefined);
    await clock.advance(1_000);
    await eventually(() => deleted.length === 1);
    expect([deleted, names(manager), lists().length]).toEqual([["a"], ["b"], 0]);
  });
});

describe("metadata alone", () => {
  test("is all that is fetched and kept, under the object's own kind, by list and by watch", async () => {
    const parent = server.put(widgets, widget("a"));
    const child = (name: string) => ({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { namespace: "shop", name, labels: { of: "a" }, ownerReferences: [ownerReference(parent)] },
      data: { large: "x".repeat(1000) },
    });
    server.put(configMaps, child("first"));
    const manager = newManager();
    let children: unknown[] = [];
    manager
      .controller("widget")
      .for(widgets)
      .owns(configMaps, { metadataOnly: true })
      .complete((_object, ctx) => {
        children = ctx.cache(configMaps, { metadataOnly: true }).list({ labels: { of: "a" } });
        return unchanged();
      });
    await manager.start();
    await eventually(() => children.length === 1 && server.watches === 2);
    server.put(configMaps, child("second"));
    await eventually(() => children.length === 2);
    for (const one of children as DynamicObject[]) {
      expect(one).toMatchObject({ apiVersion: "v1", kind: "ConfigMap", metadata: { labels: { of: "a" } } });
      expect(one.data).toBeUndefined();
    }
  });

  test("cannot carry a status: the pass fails permanently and says why", async () => {
    server.put(widgets, widget("a"));
    const errors: string[] = [];
    const logger = {
      ...silentLogger,
      child: () => logger,
      error: (_m: string, f?: object) => void errors.push(String((f as { error: Error }).error)),
    };
    const manager = newManager({ logger });
    manager
      .controller("widget")
      .for(widgets, { metadataOnly: true })
      .complete(() => ready());
    await manager.start();
    await eventually(() => errors.length === 1);
    expect(errors[0]).toContain("controller widget sees only the metadata of widgets, so their status cannot be written");
    expect(server.requests.some(({ method }) => method === "PUT")).toBe(false);
  });
});

test("a manager restricted to namespaces asks for nothing outside of them, and sees cluster-scoped kinds", async () => {
  for (const namespace of ["one", "two", "three"]) server.put(widgets, widget("w", namespace));
  server.put(nodes, { apiVersion: "v1", kind: "Node", metadata: { name: "n" } });
  const manager = newManager({ namespaces: ["one", "two"] });
  const seen: string[] = [];
  manager
    .controller("widget")
    .for(widgets)
    .owns(pods)
    .watches(nodes, () => [])
    .complete(({ metadata }, ctx) => {
      seen.push(`${metadata.namespace} ${ctx.cache(nodes).list().length}`);
      return unchanged();
    });
  await manager.start();
  await eventually(() => seen.length === 2 && server.watches === 5);
  server.put(widgets, widget("later", "two"));
  server.put(widgets, widget("unseen", "three"));
  await eventually(() => seen.length === 3);
  expect(seen.sort()).toEqual(["one 1", "two 1", "two 1"]);
  const paths = new Set(server.requests.map(({ path }) => path));
  expect([...paths].sort()).toEqual([
    "/api/v1/namespaces/one/pods",
    "/api/v1/namespaces/two/pods",
    "/api/v1/nodes",
    "/apis/example.dev/v1/namespaces/one/widgets",
    "/apis/example.dev/v1/namespaces/two/widgets",
  ]);
});

test("a standby is warm: its caches are full and follow before it leads, and taking over needs no list", async () => {
  server.put(leases, {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { namespace: "ops", name: "leader" },
    spec: { holderIdentity: "other", leaseDurationSeconds: 15 },
  });
  server.put(widgets, widget("a"));
  const manager = newManager({ leaderElection: { name: "leader", namespace: "ops" } });
  const passes: string[] = [];
  manager
    .controller("widget")
    .for(widgets)
    .complete(({ metadata }) => {
      passes.push(metadata.name);
      return unchanged();
    });
  await manager.start();
  server.put(widgets, widget("b"));
  await eventually(() => names(manager).length === 2);
  expect([passes, manager.leads, lists().filter(({ path }) => path.endsWith("/widgets")).length]).toEqual([[], false, 1]);
  server.put(leases, { ...server.find(leases, { namespace: "ops", name: "leader" })!, spec: { holderIdentity: "" } });
  for (let turn = 0; turn < 20 && passes.length < 2; turn += 1) {
    await clock.advance(2_000);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(passes.sort()).toEqual(["a", "b"]);
  expect(lists().filter(({ path }) => path.endsWith("/widgets"))).toHaveLength(1);
});

test("a standby queues nothing, whatever comes and goes while it waits", async () => {
  server.put(leases, {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { namespace: "ops", name: "leader" },
    spec: { holderIdentity: "other", leaseDurationSeconds: 15 },
  });
  const manager = newManager({ leaderElection: { name: "leader", namespace: "ops" } });
  manager
    .controller("widget")
    .for(widgets)
    .complete(() => unchanged());
  await manager.start();
  await eventually(() => server.watches === 1);
  for (const name of ["a", "b", "c"]) {
    server.put(widgets, widget(name));
    await eventually(() => names(manager).length === 1);
    server.delete(widgets, { namespace: "shop", name });
    await eventually(() => names(manager).length === 0);
  }
  expect(await manager.metrics.text()).toMatch(/^workqueue_depth\{.*\} 0$/m);
});

describe("a resync", () => {
  test("is off unless asked for", async () => {
    server.put(widgets, widget("a"));
    let passes = 0;
    const manager = newManager();
    manager
      .controller("widget")
      .for(widgets)
      .complete(() => {
        passes += 1;
        return unchanged();
      });
    await manager.start();
    await eventually(() => passes === 1);
    server.bookmark();
    await clock.advance(60_000);
    expect(passes).toBe(1);
  });

  test("reconciles everything again from the cache, without a request", async () => {
    for (const name of ["a", "b"]) server.put(widgets, widget(name));
    let passes = 0;
    const manager = newManager({ resyncSeconds: 60 });
    manager
      .controller("widget")
      .for(widgets)
      .complete(() => {
        passes += 1;
        return unchanged();
      });
    await manager.start();
    await eventually(() => passes === 2 && server.watches === 1);
    const before = server.requests.length;
    await clock.advance(59_000);
    expect(passes).toBe(2);
    await clock.advance(1_000);
    await eventually(() => passes === 4);
    expect(server.requests.length).toBe(before);
  });
});

test("the event loop's lag is measured while the manager runs", async () => {
  const manager = newManager();
  await manager.start();
  const until = performance.now() + 80;
  await new Promise((resolve) => setTimeout(resolve, 30));
  while (performance.now() < until) Math.sqrt(2);
  await new Promise((resolve) => setTimeout(resolve, 30));
  const text = await manager.metrics.text();
  const lag = Number(/kopf_event_loop_lag_seconds\{quantile="1"\} (\S+)/.exec(text)?.[1]);
  expect(lag).toBeGreaterThan(0.005);
});
