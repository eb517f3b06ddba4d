import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Client } from "../api/client.ts";
import type { DynamicObject } from "../api/object.ts";
import { configMaps, events, leases, resource } from "../api/resource.ts";
import { silentLogger } from "../core/logger.ts";
import { conditionsOf, isTrue } from "../outcome/conditions.ts";
import { progressing, ready, unchanged } from "../outcome/outcome.ts";
import { isControlledBy, ownerReference } from "../outcome/owner.ts";
import { eventually, FakeApiServer, VirtualClock } from "../testing/index.ts";
import { LeadershipLostError } from "./leader-election.ts";
import { Manager } from "./manager.ts";
import type { ManagerOptions } from "./manager-options.ts";

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
    const master = async () => /leader_election_master_status\{name="widgets"\} (\d)/.exec(await manager.metrics.text())?.[1];
    expect(await master()).toBe("0");
    for (let step = 0; step < 12 && !manager.leads; step += 1) {
      const before = server.requests.length;
      await clock.advance(2_000);
      await eventually(() => server.requests.length > before);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await eventually(() => passes > 0);
    expect(await master()).toBe("1");
    expect(server.find(leases, { namespace: "ops", name: "widgets" })?.spec.leaseTransitions).toBe(1);
  });

  test("reconciles nothing before all caches are complete, and needs no object to call one complete", async () => {
    const widgetsAreCached = eventually(() => server.requests.some(({ path, watch }) => watch && path.endsWith("/widgets")));
    server.inject({ match: ({ path }) => path.endsWith("/configmaps"), action: { do: "hold", until: widgetsAreCached } });
    server.put(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "shop", name: "c" } });
    server.put(widgets, widget("a"));
    const manager = newManager();
    const seen: number[] = [];
    manager.cache(events);
    manager
      .controller("widget")
      .for(widgets)
      .owns(configMaps)
      .complete((_object, ctx) => {
        seen.push(ctx.cache(configMaps).list().length);
        return unchanged();
      });
    await manager.start();
    await eventually(() => seen.length > 0);
    expect(seen[0]).toBe(1);
  });

  test("a cache that does not sync fails the start, saying which and why, and leaves nothing behind", async () => {
    const clock = new VirtualClock();
    server.inject({
      match: ({ path }) => path.endsWith("/widgets"),
      times: 1_000,
      action: { do: "refuse", status: 403, reason: "Forbidden" },
    });
    const manager = newManager({ clock });
    manager
      .controller("widget")
      .for(widgets)
      .complete(() => unchanged());
    const starting = manager.start();
    const outcome = starting.catch((error: unknown) => error as Error);
    await eventually(() => server.requests.length > 0);
    await clock.advance(1);
    for (let step = 0; step < 13; step += 1) {
      await clock.advance(10_000);
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
    expect((await outcome)?.message).toMatch(/^these caches were not complete after 120 s: widgets\.example\.dev \(.*answered 403/);
    await eventually(() => server.connections === 0);
    expect(clock.pending).toBe(0);
  });

  test("probes answer before the caches are complete: alive, not yet ready", async () => {
    const asked = Promise.withResolvers<void>();
    server.inject({ match: ({ path }) => path.endsWith("/widgets"), action: { do: "hold", until: asked.promise } });
    const manager = newManager({ health: { port: 0, host: "127.0.0.1" } });
    manager.cache(widgets);
    const starting = manager.start();
    await eventually(() => manager.healthPort !== undefined);
    const status = async (path: string) => (await fetch(`http://127.0.0.1:${manager.healthPort}${path}`)).status;
    expect([await status("/healthz"), await status("/readyz")]).toEqual([200, 503]);
    asked.resolve();
    await starting;
    expect(await status("/readyz")).toBe(200);
  });

  test("stops in order: what runs ends with its writes, then caches, then connections", async () => {
    const manager = newManager({ health: { port: 0, host: "127.0.0.1" } });
    server.put(widgets, widget("a"));
    let finish = () => {};
    let started = false;
    manager
      .controller("widget")
      .for(widgets)
      .complete(async (_object, ctx) => {
        started = true;
        await new Promise<void>((resolve) => {
          finish = resolve;
        });
        expect(ctx.signal.aborted).toBe(false);
        return ready().event("Normal", "Done", "done");
      });
    await manager.start();
    await eventually(() => started && server.watches === 1);
    const stopping = manager.stop();
    server.put(widgets, widget("b"));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(server.watches).toBe(1);
    finish();
    await stopping;
    expect(isTrue(server.find(widgets, { namespace: "shop", name: "a" }) ?? {}, "Ready")).toBe(true);
    expect(server.find(widgets, { namespace: "shop", name: "b" })?.status).toBeUndefined();
    expect(server.all(events)).toHaveLength(1);
    await manager.done;
    await eventually(() => server.connections === 0);
  });

  test("what does not end within the grace period is aborted", async () => {
    const clock = new VirtualClock();
    const manager = newManager({ clock, gracePeriodSeconds: 30 });
    server.put(widgets, widget("a"));
    let aborted = false;
    let started = false;
    manager
      .controller("widget")
      .for(widgets)
      .complete(async (_object, ctx) => {
        started = true;
        await new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve()));
        aborted = true;
        return ready();
      });
    await manager.start();
    await eventually(() => started);
    const stopping = manager.stop();
    await clock.advance(29_000);
    expect(aborted).toBe(false);
    await clock.advance(1_000);
    await stopping;
    expect(aborted).toBe(true);
    expect(server.find(widgets, { namespace: "shop", name: "a" })?.status).toBeUndefined();
  });

  test("a Runnable that can't be started stops the manager, with and without a Lease; what had started is drained", async () => {
    for (const leaderElection of [undefined, { name: "widgets", namespace: "ops" }]) {
      const manager = newManager(leaderElection ? { leaderElection } : {});
      const heard: string[] = [];
      const runnable = (name: string, start: () => void) => ({
        needLeaderElection: true,
        start,
        drain: async () => void heard.push(`${name} drained`),
        abort: () => {},
      });
      manager.add(runnable("the first", () => heard.push("the first started")));
      manager.add(
        runnable("the second", () => {
          throw new Error("no port is free");
        }),
      );
      await expect(manager.run(new AbortController().signal)).rejects.toThrow("no port is free");
      await eventually(() => server.connections === 0);
      expect(heard).toEqual(["the first started", "the first drained", "the second drained"]);
    }
    expect(server.find(leases, { namespace: "ops", name: "widgets" })?.spec.holderIdentity).toBe("");
  });

  test("a plugin that fails to end keeps neither the Lease nor the rest from ending", async () => {
    const manager = newManager({ leaderElection: { name: "widgets", namespace: "ops" } });
    const ended: string[] = [];
    const begin = () => Promise.resolve();
    manager.use({ begin, end: () => Promise.reject(new Error("no more")) });
    manager.use({ begin, end: async () => void ended.push("the second") });
    await manager.start();
    await eventually(() => manager.leads);
    await manager.stop();
    await manager.done;
    expect(ended).toEqual(["the second"]);
    expect(server.find(leases, { namespace: "ops", name: "widgets" })?.spec.holderIdentity).toBe("");
  });

  test("when the Lease is lost, running passes are aborted at once, nothing more is written, and the program is told", async () => {
    const clock = new VirtualClock();
    const manager = newManager({ clock, leaderElection: { name: "widgets", namespace: "ops" } });
    server.put(widgets, widget("a"));
    let aborted = false;
    manager
      .controller("widget")
      .for(widgets)
      .complete(async (_object, ctx) => {
        await new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve()));
        aborted = true;
        return ready();
      });
    await manager.start();
    await eventually(() => manager.leads);
    const told = manager.done.catch((error: unknown) => error);
    server.inject({ match: ({ path }) => path.includes("leases"), times: 1_000, action: { do: "refuse", status: 503 } });
    for (let second = 0; second < 13 && !aborted; second += 1) {
      await clock.advance(1_000);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(aborted).toBe(true);
    expect(await told).toBeInstanceOf(LeadershipLostError);
    expect(server.find(widgets, { namespace: "shop", name: "a" })?.status).toBeUndefined();
  });

  test("hands the Lease over when it stops", async () => {
    const election = { leaderElection: { name: "widgets", namespace: "ops" } };
    const first = newManager(election);
    await first.start();
    await eventually(() => first.leads);
    await first.stop();
    const second = newManager(election);
    await second.start();
    await eventually(() => second.leads);
  });

  test("run ends when its signal aborts", async () => {
    const manager = newManager();
    manager.cache(widgets);
    const abort = new AbortController();
    const running = manager.run(abort.signal);
    await eventually(() => server.watches === 1);
    abort.abort();
    await running;
    await eventually(() => server.connections === 0);
  });

  test("a signal that aborts during the start still ends it in good order", async () => {
    server.inject({ action: { do: "hang" } });
    const manager = newManager();
    manager.cache(widgets);
    const abort = new AbortController();
    const running = manager.run(abort.signal);
    await eventually(() => server.requests.length === 1);
    abort.abort();
    await running;
    await eventually(() => server.connections === 0);
  });

  test("measures under controller-runtime's names", async () => {
    const manager = newManager();
    manager
      .controller("widget")
      .for(widgets)
      .complete(() => ready());
    server.put(widgets, widget("a"));
    await manager.start();
    await eventually(() => isTrue(server.find(widgets, { namespace: "shop", name: "a" }) ?? {}, "Ready"));
    await manager.stop();
    const text = await manager.metrics.text();
    for (const name of [
      'controller_runtime_reconcile_total{controller="widget",result="success"}',
      'controller_runtime_max_concurrent_reconciles{controller="widget"} 4',
      'controller_runtime_active_workers{controller="widget"}',
      'controller_runtime_reconcile_time_seconds_count{controller="widget"}',
      'workqueue_depth{name="widget",controller="widget"} 0',
      'workqueue_adds_total{name="widget",controller="widget"}',
      'workqueue_unfinished_work_seconds{name="widget",controller="widget"}',
      'workqueue_longest_running_processor_seconds{name="widget",controller="widget"}',
      'rest_client_requests_total{code="200",method="PUT"',
      'kopf_cache_objects{resource="widgets.example.dev"} 1',
    ]) {
      expect(text).toContain(name);
    }
  });
});
