import { setTimeout as wait } from "node:timers/promises";
import { Client, type DynamicObject, isControlledBy, jobs, namespaces, ownerReference, pods, resource, statefulSets } from "kopf-ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hasEnded, workerState } from "../epochs/worker.ts";
import { config } from "../testing/objects.ts";
import { endOf, isOutlived } from "./main-container.ts";
import { job } from "./pod.ts";
import { isPodless, jobBlocker } from "./problems.ts";
import { observeRefusal } from "./refusal.ts";

/** Shapes of Jobs and pods on a real cluster. Runs with `RUNE_TEST_CLUSTER=1` against the cluster of `KUBECONFIG`. */
const nodes = resource({ group: "", version: "v1", kind: "Node", plural: "nodes", namespaced: false });
const quotas = resource({ group: "", version: "v1", kind: "ResourceQuota", plural: "resourcequotas" });
const configMaps = resource({ group: "", version: "v1", kind: "ConfigMap", plural: "configmaps" });
const namespace = `rune-jobs-${process.pid}-${Date.now().toString(36)}`;
let client: Client;
let images: Record<"kube" | "pause", string>;
/** Owner of the Jobs, in place of a TrainingRun. */
let owner: DynamicObject;

beforeAll(async () => {
  client = await Client.fromEnvironment(process.env);
  const [node] = (await client.list(nodes)).items;
  const names: string[] = node?.status.images.flatMap((image: { names: string[] }) => image.names);
  const named = (name: string) => names.find((each) => each.includes(`rune.local/${name}:`)) ?? "";
  images = { kube: named("kube"), pause: named("pause") };
  await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
  owner = await client.create(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "owner", namespace } });
}, 30_000);
afterAll(async () => {
  await client.delete(namespaces, { name: namespace });
  await client.close();
});

async function until<T>(look: () => Promise<T | undefined | false>): Promise<T> {
  for (const end = Date.now() + 60_000; Date.now() < end; await wait(200)) {
    const found = await look();
    if (found) return found;
  }
  throw new Error("it didn't come about within a minute");
}

const options = { config, container: "agent", labels: { "rune.dev/component": "agent" } };
const seen = (name: string) => client.get(jobs, { namespace, name });
const suspend = (name: string, value: boolean) => client.patch(jobs, { namespace, name }, { spec: { suspend: value } });
const isSuspended = ({ status }: DynamicObject) =>
  status?.conditions?.some((each: { type: string; status: string }) => each.type === "Suspended" && each.status === "True");

test("a queue's Job starts when it is admitted, and has not started once its place is taken away", { timeout: 120_000 }, async () => {
  const pod = { containers: [{ name: "agent", image: images.pause, imagePullPolicy: "IfNotPresent" }], nodeSelector: { absent: "node" } };
  await client.create(jobs, job(owner, "queued", pod as never, { ...options, activeDeadlineSeconds: 600, queueName: "team" }));
  const later = new Date(Date.now() + 3600_000);
  const held = await until(async () => {
    const found = await seen("queued");
    return isSuspended(found) && found;
  });
  expect(held.status?.startTime).toBeUndefined();
  expect(isPodless(held, later)).toBe(false);

  await suspend("queued", false);
  const admitted = await until(async () => {
    const found = await seen("queued");
    return found.status?.startTime && found;
  });
  expect(isSuspended(admitted)).toBe(false);
  expect(jobBlocker(admitted, [], later)).toMatchObject({ reason: "PodMissing" });

  await suspend("queued", true);
  const again = await until(async () => {
    const found = await seen("queued");
    return isSuspended(found) && found;
  });
  expect(hasEnded(again), "taking a place away costs no attempt").toBe(false);
  expect(isPodless(again, later)).toBe(false);
});

test("a program that is done is done, though a proxy whose name comes first goes on", { timeout: 120_000 }, async () => {
  const containers = [
    { name: "agent", image: images.kube, imagePullPolicy: "IfNotPresent", command: ["/kube", "kubectl", "version", "--client"] },
    { name: "aaa-proxy", image: images.pause, imagePullPolicy: "IfNotPresent" },
  ];
  const made = await client.create(jobs, job(owner, "outlived", { containers } as never, { ...options, activeDeadlineSeconds: 600 }));
  const pod = await until(async () => {
    const found = (await client.list(pods, { namespace })).items.find((each) => isControlledBy(each, made));
    return found && endOf(found, "agent") && found;
  });
  expect(pod.status?.containerStatuses.map(({ name }: { name: string }) => name)).toEqual(["aaa-proxy", "agent"]);
  expect(isOutlived(pod, "agent")).toBe(true);
  expect(workerState({ job: await seen("outlived"), pods: [pod] }, "agent", new Date())).toMatchObject({ state: "Ended", lingers: true });
});

test("what admission says of a pod that it refuses is found, of a StatefulSet's and of a Job's", { timeout: 120_000 }, async () => {
  const none = { apiVersion: "v1", kind: "ResourceQuota", metadata: { name: "none", namespace }, spec: { hard: { pods: "0" } } };
  await client.create(quotas, none);
  await until(async () => (await client.get(quotas, { namespace, name: "none" })).status?.hard?.pods === "0");
  const containers = [{ name: "agent", image: images.pause, imagePullPolicy: "IfNotPresent" }];
  const labels = { app: "refused" };
  const set = await client.create(statefulSets, {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name: "refused", namespace, ownerReferences: [ownerReference(owner)] },
    spec: {
      replicas: 1,
      serviceName: "refused",
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers } },
    },
  });
  const refused = await client.create(jobs, job(owner, "refused", { containers } as never, { ...options, activeDeadlineSeconds: 600 }));
  const context = { client, clock: { now: () => new Date(Date.now() + 60_000) }, signal: AbortSignal.timeout(60_000) } as never;
  for (const each of [set, refused]) {
    const said = await until(async () => await observeRefusal(each, [], context));
    expect(said).toContain("exceeded quota: none");
  }
});
