import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DynamicObject } from "../api/object.ts";
import { configMaps, namespaces, pods } from "../api/resource.ts";
import { jsonLogger, silentLogger } from "../core/logger.ts";
import { eventually, FakeApiServer, VirtualClock } from "../testing/index.ts";
import { Informer } from "./cache.ts";
import { Informers } from "./informers.ts";
import type { Change } from "./store.ts";

const configMap = (name: string, namespace = "one", labels: Record<string, string> = {}) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { namespace, name, labels },
});

let server: FakeApiServer;
let abort: AbortController;
let running: Promise<unknown>[];
beforeEach(async () => {
  server = await FakeApiServer.start();
  abort = new AbortController();
  running = [];
});
afterEach(async () => {
  abort.abort();
  await Promise.all(running);
  await server.stop();
});

function newInformer(options: { namespaces?: string[]; labelSelector?: Record<string, string>; log?: (line: string) => void } = {}) {
  const clock = new VirtualClock();
  const { log, ...rest } = options;
  const logger = log ? jsonLogger({ write: log }) : silentLogger;
  const informer = new Informer({ client: server.client({ clock }), resource: configMaps, clock, logger, freeze: "deep", ...rest });
  const start = () => running.push(informer.run(abort.signal));
  return { informer, start, clock };
}
const names = (objects: DynamicObject[]) => objects.map(({ metadata }) => metadata.name).sort();

describe("an informer", () => {
  test("has synced only when every listed object has been delivered, marked as initial", async () => {
    server.put(configMaps, configMap("a"));
    server.put(configMaps, configMap("b"));
    const { informer, start } = newInformer();
    const heard: string[] = [];
    informer.onChange((change) => heard.push(`${change.type} ${change.type === "added" && change.initial} ${informer.hasSynced}`));
    start();
    await informer.synced;
    expect(heard).toEqual(["added true false", "added true false"]);
    await eventually(() => server.watches === 1);
    server.put(configMaps, configMap("c"));
    await eventually(() => heard.length === 3);
    expect(heard[2]).toBe("added false true");
  });

  test("a handler that throws affects neither the others nor the cache", async () => {
    const lines: string[] = [];
    const { informer, start } = newInformer({ log: (line) => lines.push(line) });
    const heard: string[] = [];
    informer.onChange(() => {
      throw new Error("broken");
    });
    informer.onChange(({ object }) => heard.push(object.metadata.name));
    server.put(configMaps, configMap("a"));
    start();
    await informer.synced;
    await eventually(() => server.watches === 1);
    server.put(configMaps, configMap("b"));
    await eventually(() => heard.length === 2);
    expect(heard).toEqual(["a", "b"]);
    expect(lines[0]).toContain("a handler failed on a change of ConfigMap one/a");
  });

  test("a handler that comes late hears what is there already", async () => {
    server.put(configMaps, configMap("a"));
    const { informer, start } = newInformer();
    start();
    await informer.synced;
    const heard: Change<DynamicObject>[] = [];
    informer.onChange((change) => heard.push(change));
    expect(heard).toMatchObject([{ type: "added", initial: true, object: { metadata: { name: "a" } } }]);
  });

  test("sees only its namespaces, and has synced when all of them have", async () => {
    for (const namespace of ["one", "two", "three"]) server.put(configMaps, configMap("a", namespace));
    const { informer, start } = newInformer({ namespaces: ["one", "two"] });
    start();
    await informer.synced;
    expect(
      informer
        .list()
        .map(({ metadata }) => metadata.namespace)
        .sort(),
    ).toEqual(["one", "two"]);
    expect(informer.list({ namespace: "two" })).toHaveLength(1);
  });

  test("is complete without a namespace that doesn't exist, and receives its objects once it does", async () => {
    server.put(configMaps, configMap("a"));
    server.inject({ match: ({ path }) => path.includes("/two/"), times: 999, action: { do: "refuse", status: 403, reason: "Forbidden" } });
    const log: string[] = [];
    const { informer, start, clock } = newInformer({ namespaces: ["one", "two"], log: (line) => log.push(line) });
    start();
    await informer.synced;
    expect(names(informer.list())).toEqual(["a"]);
    expect(log.join("")).toContain("namespace two doesn't exist");
    server.put(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "two" } });
    server.put(configMaps, configMap("b", "two"));
    server.clearFaults();
    await clock.advance(120_000);
    await eventually(() => informer.size === 2);
  });

  test("waits for a namespace that it may not list, but which exists or whose existence it can't see", async () => {
    server.put(configMaps, configMap("a"));
    server.put(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "two" } });
    const refuse = { do: "refuse", status: 403, reason: "Forbidden" } as const;
    server.inject({ match: ({ path }) => path.includes("/two/") || path.endsWith("/three"), times: 999, action: refuse });
    server.inject({ match: ({ path }) => path.includes("/three/"), times: 999, action: refuse });
    const { informer, start } = newInformer({ namespaces: ["one", "two", "three"] });
    start();
    await eventually(() => server.requests.some(({ path }) => path.endsWith("/namespaces/two")));
    await eventually(() => server.requests.some(({ path }) => path.endsWith("/namespaces/three")));
    await eventually(() => informer.size === 1);
    expect(informer.hasSynced).toBe(false);
  });

  test("sees only what its selector selects: an object that loses the label is deleted", async () => {
    server.put(configMaps, configMap("a", "one", { app: "x" }));
    server.put(configMaps, configMap("b"));
    const { informer, start } = newInformer({ labelSelector: { app: "x" } });
    start();
    await informer.synced;
    expect(names(informer.list())).toEqual(["a"]);
    await eventually(() => server.watches === 1);
    server.put(configMaps, configMap("a"));
    await eventually(() => informer.size === 0);
  });

  test("answers get, list by labels, and indexes", async () => {
    server.put(configMaps, configMap("a", "one", { app: "x", tier: "1" }));
    server.put(configMaps, configMap("b", "one", { app: "x" }));
    const { informer, start } = newInformer();
    informer.indexField("app", ({ metadata }) => metadata.labels?.app);
    start();
    await informer.synced;
    expect(informer.get({ namespace: "one", name: "a" })?.metadata.name).toBe("a");
    expect(informer.get({ namespace: "two", name: "a" })).toBeUndefined();
    expect(names(informer.list({ labels: { app: "x", tier: "1" } }))).toEqual(["a"]);
    expect(names(informer.byIndex("app", "x"))).toEqual(["a", "b"]);
  });
});

describe("informers", () => {
  test("are shared by resource and selector, and none is made after the start", async () => {
    const clock = new VirtualClock();
    const informers = new Informers({ client: server.client({ clock }), clock, logger: silentLogger });
    const one = informers.of(configMaps);
    expect(informers.of(configMaps)).toBe(one);
    expect(informers.of(configMaps, { labelSelector: { a: "b" } })).not.toBe(one);
    running.push(informers.run(abort.signal));
    expect(informers.of(configMaps)).toBe(one);
    expect(() => informers.of(pods)).toThrow("nothing caches pods with this selection");
  });
});
