import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Client } from "./client.ts";
import { conditionsOf, isTrue } from "./conditions.ts";
import { silentLogger } from "./logger.ts";
import { Manager, type ManagerOptions } from "./manager.ts";
import type { DynamicObject } from "./object.ts";
import { progressing, ready } from "./outcome.ts";
import { isControlledBy, ownerReference } from "./owner.ts";
import { configMaps, events, leases, resource } from "./resource.ts";
import { eventually, FakeApiServer, VirtualClock } from "./testing/index.ts";

interface Widget extends DynamicObject {
  spec: { size: number };
}
const widgets = resource<Widget>({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });
const widget = (name: string, size = 1): Widget => ({
  apiVersion: "example.dev/v1",
  kind: "Widget",
  metadata: { namespace: "shop", name },
  spec: { size },
});

let server: FakeApiServer;
let managers: Manager[];
beforeEach(async () => {
  server = await FakeApiServer.start({ resources: [widgets] });
  managers = [];
});
afterEach(async () => {
  await Promise.all(managers.map((manager) => manager.stop()));
  await server.stop();
});

function newManager(options: Partial<ManagerOptions> & { client?: Client } = {}): Manager {
  const clock = options.clock;
  const manager = new Manager({ client: server.client({ clock }), logger: silentLogger, freeze: "deep", ...options });
  managers.push(manager);
  return manager;
}

const configMapOf = (owner: Widget) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { namespace: "shop", name: `${owner.metadata.name}-size`, ownerReferences: [ownerReference(owner)] },
  data: { size: String(owner.spec.size) },
});

describe("a manager", () => {
  test("brings every object to its outcome: children applied, status with kstatus's conditions, an event", async () => {
    const manager = newManager();
    manager
      .controller("widget")
      .for(widgets)
      .owns(configMaps)
      .complete((object, ctx) => {
        const child = ctx.cache(configMaps).get({ namespace: "shop", name: `${object.metadata.name}-size` });
        if (child?.data?.size === String(object.spec.size)) return ready({ size: object.spec.size });
        return progressing("Writing", "the ConfigMap is being written")
          .applying(configMapOf(object))
          .event("Normal", "Written", "wrote it");
      });
    server.put(widgets, widget("a"));
    await manager.start();
    server.put(widgets, widget("b", 2));
    const isReady = (name: string) => isTrue(server.find(widgets, { namespace: "shop", name }) ?? {}, "Ready");
    await eventually(() => isReady("a") && isReady("b"));
    const b = server.find(widgets, { namespace: "shop", name: "b" }) as Widget;
    expect(b.status).toMatchObject({ size: 2, observedGeneration: 1 });
    expect(conditionsOf(b).map(({ type, status }) => `${type}=${status}`)).toEqual(["Ready=True"]);
    const child = server.find(configMaps, { namespace: "shop", name: "b-size" }) as DynamicObject;
    expect(isControlledBy(child, b)).toBe(true);
    await eventually(() => server.all(events).length === 2);
  });

  test("writes an unchanged status no second time", async () => {
    const manager = newManager();
    let passes = 0;
    const controller = manager
      .controller("widget")
      .for(widgets)
      .complete(() => {
        passes += 1;
        return ready({ fine: true });
      });
    server.put(widgets, widget("a"));
    await manager.start();
    await eventually(() => passes === 2);
    controller.enqueue({ namespace: "shop", name: "a" });
    await eventually(() => passes === 3);
    await manager.stop();
    expect(server.requests.filter(({ method }) => method === "PUT")).toHaveLength(1);
  });

  test("with a Lease starts reconciling only as its holder", async () => {
    const clock = new VirtualClock();
    server.put(leases, {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { namespace: "ops", name: "widgets" },
      spec: { holderIdentity: "other", leaseDurationSeconds: 15 },
    });
    const manager = newManager({ clock, leaderElection: { name: "widgets", namespace: "ops" } });
    let passes = 0;
    manager
      .controller("widget")
      .for(widgets)
      .complete(() => {
        passes += 1;
        return ready();
      });
    server.put(widgets, widget("a"));
    await manager.start();
    await clock.advance(1_000);
    expect(passes).toBe(0);
    for (let step = 0; step < 12 && !manager.leads; step += 1) {
      const before = server.requests.length;
      await clock.advance(2_000);
      await eventually(() => server.requests.length > before);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await eventually(() => passes > 0);
    expect(server.find(leases, { namespace: "ops", name: "widgets" })?.spec.leaseTransitions).toBe(1);
  });
});
