import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  configMaps,
  type DynamicObject,
  deployments,
  getCondition,
  leases,
  namespaces,
  persistentVolumeClaims,
  pods,
  type Resource,
} from "kopf-ts";
import { FakeApiServer } from "kopf-ts/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import {
  claims,
  counters,
  discounts,
  end,
  ended,
  folders,
  greetings,
  heartbeats,
  key,
  kill,
  launch,
  object,
  output,
  printed,
  until,
} from "./program.ts";

let server: FakeApiServer;
let folder: string;
beforeEach(async () => {
  server = await FakeApiServer.start({ resources: [greetings, claims, heartbeats, folders, discounts, counters] });
  folder = mkdtempSync(join(tmpdir(), "kopf-ts-example-"));
});
afterEach(async () => {
  kill();
  await server.stop();
  rmSync(folder, { recursive: true });
});

function run(name: string, environment: Record<string, string> = {}, ...words: string[]): void {
  const kubeconfig = join(folder, "kubeconfig");
  const config = {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "fake",
    clusters: [{ name: "fake", cluster: { server: server.url } }],
    users: [{ name: "nobody", user: {} }],
    contexts: [{ name: "fake", context: { cluster: "fake", user: "nobody" } }],
  };
  writeFileSync(kubeconfig, JSON.stringify(config));
  launch(name, { KUBECONFIG: kubeconfig, ...environment }, ...words);
}

const current = (of: Resource<DynamicObject>) => server.find(of, key);
/** As a user's edit. */
const edit = (of: Resource<DynamicObject>, change: Partial<DynamicObject>) =>
  server.put(of, { ...(current(of) as DynamicObject), ...change });

test("01: a greeting has its ConfigMap, and is ready when it has", async () => {
  server.put(greetings, object(greetings, { to: "world" }));
  run("01-greeting.ts");
  await until(() => current(greetings)?.status?.text === "Hello, world!");
  expect(current(configMaps)?.data).toEqual({ text: "Hello, world!" });
  edit(greetings, { spec: { to: "moon" } });
  await until(() => current(greetings)?.status.text === "Hello, moon!");
  await end();
});

test("02: the tutorial's handlers make a claim, resize it, relabel it, and let it go", async () => {
  server.put(claims, object(claims, { size: "1Gi" }, { labels: { tier: "gold" } }));
  run("02-ephemeral-volume-claim.ts");
  await until(() => current(claims)?.status?.claim === "a");
  expect(current(persistentVolumeClaims)).toMatchObject({
    metadata: { labels: { tier: "gold" } },
    spec: { resources: { requests: { storage: "1Gi" } } },
  });
  await until(() => current(claims)?.metadata.annotations?.["kopf-ts.dev/last-handled"]);
  edit(claims, { spec: { size: "2Gi" } });
  await until(() => current(persistentVolumeClaims)?.spec.resources.requests.storage === "2Gi");
  await until(() => current(claims)?.metadata.annotations?.["kopf-ts.dev/last-handled"]?.includes("2Gi"));
  edit(claims, { metadata: { ...(current(claims) as DynamicObject).metadata, labels: { colour: "blue" } } });
  await until(() => current(persistentVolumeClaims)?.metadata.labels?.colour === "blue");
  expect(current(persistentVolumeClaims)?.metadata.labels).toEqual({ colour: "blue" });
  server.delete(claims, key);
  await until(() => current(persistentVolumeClaims) === undefined && current(claims) === undefined);
  await end();
});

test("02: a claim without a size fails permanently, in an Event", async () => {
  server.put(claims, object(claims, {}));
  run("02-ephemeral-volume-claim.ts");
  await until(() => output.includes("size must be set"));
  await until(() => current(claims)?.metadata.annotations?.["kopf-ts.dev/last-handled"]);
  await end();
});

test("03: the tutorial's reconciler does the same", async () => {
  server.put(claims, object(claims, { size: "1Gi" }, { labels: { tier: "gold" } }));
  run("03-ephemeral-volume-claim-reconciler.ts");
  await until(() => current(claims)?.status?.claim === "a");
  edit(claims, { spec: { size: "2Gi" }, metadata: { ...(current(claims) as DynamicObject).metadata, labels: { colour: "blue" } } });
  await until(() => current(persistentVolumeClaims)?.spec.resources.requests.storage === "2Gi");
  expect(current(persistentVolumeClaims)?.metadata.labels).toEqual({ colour: "blue" });
  edit(claims, { spec: {} });
  await until(() => current(claims)?.status.conditions.some(({ reason }: { reason: string }) => reason === "SizeMissing"));
  server.delete(claims, key);
  await until(() => current(persistentVolumeClaims) === undefined);
  await end();
});

test("04: a timer counts, a daemon serves while it is watched", async () => {
  server.put(heartbeats, object(heartbeats, {}, { labels: { watched: "yes" } }));
  run("04-timers-and-daemons.ts");
  await until(() => current(heartbeats)?.status?.beats >= 2 && current(heartbeats)?.status.sentinel === "on duty");
  server.delete(heartbeats, key);
  await until(() => current(heartbeats) === undefined);
  await end();
});

test("05: a namespace is told of its pods", async () => {
  server.put(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop", labels: { census: "yes" } } });
  for (const [name, nodeName] of [
    ["p", "n1"],
    ["q", "n2"],
    ["r", "n2"],
    ["pending", ""],
  ])
    server.put(pods, object(pods, { nodeName }, { name }));
  run("05-index.ts");
  const census = () => server.find(namespaces, { name: "shop" })?.metadata.annotations?.census;
  await until(() => census() === "3 pods on 2 nodes");
  server.delete(pods, { namespace: "shop", name: "p" });
  await until(() => census() === "2 pods on 1 nodes");
  await end();
});

test("06: a folder is made and taken away with its object", async () => {
  server.put(folders, object(folders));
  run("06-outside-world.ts");
  const path = await until(() => current(folders)?.status?.path as string | undefined);
  await until(() => existsSync(path));
  server.delete(folders, key);
  await until(() => current(folders) === undefined);
  expect(existsSync(path)).toBe(false);
  await end();
});

test("07: a Deployment is rolled out again when its ConfigMap changes, and nothing else of it is touched", async () => {
  const spec = { replicas: 3, template: { spec: { containers: [] } } };
  server.put(deployments, object(deployments, spec, { annotations: { "examples.kopf-ts.dev/reload-on": "settings" } }));
  const settings = (data: object) => ({ ...object(configMaps, {}, { name: "settings" }), data });
  server.put(configMaps, settings({ x: "1" }));
  run("07-reloader.ts");
  const digest = () => current(deployments)?.spec.template.metadata?.annotations["examples.kopf-ts.dev/config"] as string | undefined;
  const first = await until(digest);
  server.put(configMaps, settings({ x: "2" }));
  await until(() => digest() !== first);
  expect(current(deployments)?.spec).toMatchObject(spec);
  await end();
});

test("08: with a Lease, probes and metrics, in one namespace", async () => {
  server.put(configMaps, object(configMaps, {}, { labels: { stamp: "yes", audit: "yes" } }));
  server.put(configMaps, object(configMaps, {}, { namespace: "elsewhere", labels: { stamp: "yes" } }));
  run("08-in-production.ts", { NAMESPACE: "shop", PORT: "0" });
  await until(() => current(configMaps)?.metadata.annotations?.stamped === "by the leader");
  expect(server.find(leases, { namespace: "shop", name: "example-operator" })?.spec.holderIdentity).toBeTruthy();
  const port = /"healthPort":(\d+)/.exec(output)?.[1];
  const page = async (path: string) => (await fetch(`http://127.0.0.1:${port}${path}`)).text();
  expect(await page("/healthz")).toBe("[+] leads: true\nok\n");
  expect(await page("/metrics")).toContain('controller_runtime_max_concurrent_reconciles{controller="stamp"} 8');
  await until(() => output.includes('"message":"audit"'));
  await end();
  expect(server.find(configMaps, { namespace: "elsewhere", name: "a" })?.metadata.annotations).toBeUndefined();
  expect(server.find(leases, { namespace: "shop", name: "example-operator" })?.spec.holderIdentity).toBe("");
});

test("09: what fits its schema is served, what does not is said", async () => {
  server.put(discounts, object(discounts, { percent: 20 }));
  server.put(discounts, object(discounts, { percent: 900 }, { name: "wrong" }));
  run("09-typed-by-zod.ts");
  await until(() => current(discounts)?.status?.text === "20 % off everything");
  expect(output).toContain("Discount shop/wrong is not what its schema says");
  const wrong = () => server.find(discounts, { namespace: "shop", name: "wrong" });
  await until(() => getCondition(wrong() ?? {}, "Ready")?.reason === "InvalidObject");
  await end();
});

test("10: what has lived long enough is deleted, without its data ever being read", async () => {
  const living = (name: string, seconds: string) =>
    object(configMaps, {}, { name, annotations: { "examples.kopf-ts.dev/seconds-to-live": seconds } });
  server.put(configMaps, { ...living("a", "1"), data: { secret: "x" } });
  server.put(configMaps, living("later", "3600"));
  run("10-janitor.ts");
  await until(() => current(configMaps) === undefined);
  expect(server.find(configMaps, { namespace: "shop", name: "later" })).toBeDefined();
  const reads = server.requests.filter(({ method, path }) => method === "GET" && path.includes("configmaps"));
  expect(reads.length).toBeGreaterThan(0);
  expect(reads.every(({ accept }) => accept.includes("PartialObjectMetadata"))).toBe(true);
  await end();
});

test("11: a program prints what it needs, asks no server for that, and works", async () => {
  run("11-manifests.ts", {}, "--print-manifests");
  await ended();
  const manifests = parseAllDocuments(printed).map((document) => document.toJS());
  expect(manifests.map(({ kind }) => kind)).toEqual(["CustomResourceDefinition", "ServiceAccount", "ClusterRole", "ClusterRoleBinding"]);
  expect(manifests[2].rules).toEqual([
    { apiGroups: ["examples.kopf-ts.dev"], resources: ["counters"], verbs: ["list", "watch"] },
    { apiGroups: [""], resources: ["configmaps"], verbs: ["list", "watch"] },
    { apiGroups: ["examples.kopf-ts.dev"], resources: ["counters/status"], verbs: ["update"] },
    { apiGroups: ["events.k8s.io"], resources: ["events"], verbs: ["create", "patch"] },
  ]);
  expect(server.requests).toEqual([]);
  server.put(configMaps, object(configMaps));
  server.put(counters, object(counters, { atMost: 9 }));
  run("11-manifests.ts");
  await until(() => current(counters)?.status?.verdict === "Right" && current(counters)?.status.count === 1);
  await end();
});
