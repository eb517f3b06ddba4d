import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isConflict } from "../api/api-error.ts";
import { Client } from "../api/client.ts";
import type { DynamicObject } from "../api/object.ts";
import { configMaps, events, leases, namespaces, resource } from "../api/resource.ts";
import { silentLogger } from "../core/logger.ts";
import { conditionsOf, isTrue } from "../outcome/conditions.ts";
import { progressing, ready, succeeded, unchanged } from "../outcome/outcome.ts";
import { isControlledBy, ownerReference } from "../outcome/owner.ts";
import { LeaderElector } from "./leader-election.ts";
import { Manager } from "./manager.ts";

/** What only a real API server can show. Runs with `RUNE_TEST_CLUSTER=1` against the cluster of `KUBECONFIG`. */
const crds = resource({
  group: "apiextensions.k8s.io",
  version: "v1",
  kind: "CustomResourceDefinition",
  plural: "customresourcedefinitions",
  namespaced: false,
});
const suffix = `${process.pid}-${Date.now().toString(36)}`;
const namespace = `kopf-ts-${suffix}`;
const group = `t${suffix}.kopf-ts.dev`;
const gears = resource<DynamicObject>({ group, version: "v1", kind: "Gear", plural: "gears" });
const gear = (name: string, teeth: number) => ({ apiVersion: `${group}/v1`, kind: "Gear", metadata: { namespace, name }, spec: { teeth } });
const definition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `gears.${group}` },
  spec: {
    group,
    scope: "Namespaced",
    names: { kind: "Gear", plural: "gears" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
};

let client: Client;
beforeAll(async () => {
  client = await Client.fromEnvironment(process.env);
  await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
  await client.create(crds, definition);
  await until(async () => isTrue(await client.get(crds, { name: `gears.${group}` }), "Established"));
});
afterAll(async () => {
  await client.delete(crds, { name: `gears.${group}` });
  await client.delete(namespaces, { name: namespace });
  await client.close();
});

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error("it did not come true within 15 s");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function withManager(define: (manager: Manager) => void, use: () => Promise<void>): Promise<void> {
  const own = await Client.fromEnvironment(process.env);
  const manager = new Manager({ client: own, namespaces: [namespace], logger: silentLogger, freeze: "deep" });
  define(manager);
  await manager.start();
  try {
    await use();
  } finally {
    await manager.stop();
  }
}

describe("on a real API server", () => {
  test("an object goes from finalizer over child to ready, and away again when its clean-up is done", async () => {
    const cleaned: string[] = [];
    const define = (manager: Manager) =>
      manager
        .controller("gear")
        .for(gears)
        .owns(configMaps)
        .complete((object, ctx) => {
          const { name } = object.metadata;
          if (object.metadata.deletionTimestamp) {
            return unchanged()
              .effect("clean up", async () => void cleaned.push(name))
              .finalizer("kopf-ts.dev/gear", false);
          }
          const child = ctx.cache(configMaps).get({ namespace, name: `${name}-teeth` });
          if (child?.data?.teeth === String(object.spec.teeth))
            return ready({ teeth: object.spec.teeth }).finalizer("kopf-ts.dev/gear", true);
          return progressing("Cutting", "the teeth are being cut")
            .finalizer("kopf-ts.dev/gear", true)
            .event("Normal", "Cutting", "cuts the teeth")
            .applying({
              apiVersion: "v1",
              kind: "ConfigMap",
              metadata: { namespace, name: `${name}-teeth`, ownerReferences: [ownerReference(object)] },
              data: { teeth: String(object.spec.teeth) },
            });
        });
    await withManager(
      (manager) => void define(manager),
      async () => {
        await client.create(gears, gear("a", 12));
        await until(async () => isTrue(await client.get(gears, { namespace, name: "a" }), "Ready"));
        const object = await client.get(gears, { namespace, name: "a" });
        expect(object.status).toMatchObject({ teeth: 12, observedGeneration: 1 });
        expect(conditionsOf(object).map(({ type }) => type)).toEqual(["Ready"]);
        const child = await client.get(configMaps, { namespace, name: "a-teeth" });
        expect(isControlledBy(child, object)).toBe(true);
        await client.patch(gears, { namespace, name: "a" }, { spec: { teeth: 13 } });
        await until(async () => (await client.get(gears, { namespace, name: "a" })).status?.teeth === 13);
        await client.delete(gears, { namespace, name: "a" });
        await until(async () => (await client.find(gears, { namespace, name: "a" })) === undefined);
        expect(cleaned).toEqual(["a"]);
      },
    );
    const told = (await client.listAll(events, { namespace })).items.filter(({ reason }) => reason === "Cutting");
    expect(told[0]).toMatchObject({ note: "cuts the teeth", reportingController: "kopf-ts/gear", regarding: { kind: "Gear", name: "a" } });
  });

  test("fifty objects that succeed are written once each", async () => {
    let writes = 0;
    await withManager(
      (manager) => {
        manager.client.transport.observe(({ method }) => {
          if (method === "PUT") writes += 1;
        });
        manager
          .controller("bounded")
          .for(gears)
          .complete(() => succeeded({ digest: "x" }));
      },
      async () => {
        await Promise.all(Array.from({ length: 50 }, (_, index) => client.create(gears, gear(`b${index}`, index))));
        await until(
          async () => (await client.listAll(gears, { namespace })).items.filter((object) => isTrue(object, "Succeeded")).length === 50,
        );
      },
    );
    const { items } = await client.listAll(gears, { namespace, limit: 7 });
    expect(items).toHaveLength(50);
    expect(writes).toBe(50);
  });

  test("a JSON patch that tests a wrong value and a stale status write are conflicts as we know them", async () => {
    const created = await client.create(gears, gear("c", 1));
    const stale = client.patch(gears, created.metadata, [{ op: "test", path: "/spec/teeth", value: 99 }]).catch((error: unknown) => error);
    expect(await stale).toMatchObject({ status: 422, reason: "Invalid" });
    await client.patch(gears, created.metadata, { spec: { teeth: 2 } });
    const late = await client.status.replace(gears, { ...created, status: { late: true } }).catch((error: unknown) => error);
    expect(isConflict(late)).toBe(true);
    const wrong = await client
      .delete(gears, created.metadata, { uid: "00000000-0000-0000-0000-000000000000" })
      .catch((error: unknown) => error);
    expect(isConflict(wrong)).toBe(true);
  });

  test("the Lease is taken, renewed and released", async () => {
    const heard: string[] = [];
    const abort = new AbortController();
    const key = { namespace, name: "leader" };
    const elector = new LeaderElector({
      ...key,
      identity: "me",
      client,
      logger: silentLogger,
      leaseDurationSeconds: 3,
      renewDeadlineSeconds: 2,
      retryPeriodSeconds: 0.2,
      onStarted: () => heard.push("started"),
      onLost: () => heard.push("lost"),
    });
    const running = elector.run(abort.signal);
    await until(async () => heard.length === 1);
    const first = (await client.get(leases, key)).spec.renewTime;
    await until(async () => (await client.get(leases, key)).spec.renewTime !== first);
    abort.abort();
    await running;
    await elector.release();
    expect((await client.get(leases, key)).spec.holderIdentity).toBeFalsy();
    expect(heard).toEqual(["started"]);
  });
});
