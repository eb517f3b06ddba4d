import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type DynamicObject, keyOf } from "../api/object.ts";
import { configMaps, namespaces, pods, resource } from "../api/resource.ts";
import { type Logger, silentLogger } from "../core/logger.ts";
import { conditionsOf, getCondition, isTrue } from "../outcome/conditions.ts";
import { progressing, ready, unchanged, waiting } from "../outcome/outcome.ts";
import { ownerReference } from "../outcome/owner.ts";
import { TerminalError } from "../outcome/reconciler.ts";
import { eventually, FakeApiServer, VirtualClock } from "../testing/index.ts";
import type { ControllerBuilder } from "./controller-builder.ts";
import { Manager } from "./manager.ts";
import type { ManagerOptions } from "./manager-options.ts";

const widgets = resource({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });
const widget = (name: string, size = 1): DynamicObject => ({
  apiVersion: "example.dev/v1",
  kind: "Widget",
  metadata: { namespace: "shop", name },
  spec: { size },
});
const keyA = { namespace: "shop", name: "a" };

let server: FakeApiServer;
let clock: VirtualClock;
let manager: Manager;
beforeEach(async () => {
  server = await FakeApiServer.start({ resources: [widgets] });
  clock = new VirtualClock();
  manager = newManager();
});
afterEach(async () => {
  const stopped = manager.stop();
  await clock.advance(60_000);
  await stopped;
  await server.stop();
});

function newManager(options: Partial<ManagerOptions> = {}): Manager {
  return new Manager({ client: server.client({ clock, retries: 0 }), clock, logger: silentLogger, freeze: "deep", ...options });
}
const builder = (): ControllerBuilder<DynamicObject> => manager.controller("widget").for(widgets);
const metric = async (line: string) =>
  (await manager.metrics.text())
    .split("\n")
    .find((one) => one.startsWith(line))
    ?.split(" ")
    .at(-1);

/** A reconciler that stops at a gate until the test opens it. */
function gated() {
  const started: string[] = [];
  const gates: (() => void)[] = [];
  let atOnce = 0;
  let most = 0;
  const reconcile = async ({ metadata }: DynamicObject) => {
    started.push(metadata.name);
    atOnce += 1;
    most = Math.max(most, atOnce);
    await new Promise<void>((resolve) => gates.push(resolve));
    atOnce -= 1;
    return unchanged();
  };
  const open = () => {
    for (const gate of gates.splice(0)) gate();
  };
  return { reconcile, started, gates, most: () => most, open };
}

describe("a controller", () => {
  test("runs a key never twice at once, and exactly once more if it changed meanwhile", async () => {
    const { reconcile, started, open, most } = gated();
    builder().withOptions({ maxConcurrentReconciles: 8 }).complete(reconcile);
    await manager.start();
    await eventually(() => server.watches === 1);
    server.put(widgets, widget("a"));
    await eventually(() => started.length === 1);
    for (let size = 2; size < 6; size += 1) server.put(widgets, widget("a", size));
    await eventually(() => manager.cache(widgets).get(keyA)?.spec.size === 5);
    expect(started).toHaveLength(1);
    open();
    await eventually(() => started.length === 2);
    open();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect([started.length, most()]).toEqual([2, 1]);
  });

  test("runs as many passes at once as it has workers", async () => {
    const { reconcile, started, open, most } = gated();
    for (const name of ["a", "b", "c", "d", "e"]) server.put(widgets, widget(name));
    builder().withOptions({ maxConcurrentReconciles: 3 }).complete(reconcile);
    await manager.start();
    await eventually(() => started.length === 3);
    open();
    await eventually(() => started.length === 5);
    open();
    expect(most()).toBe(3);
  });

  test("live changes go before the rest of the initial list", async () => {
    const { reconcile, started, open } = gated();
    for (const name of ["a", "b", "c"]) server.put(widgets, widget(name));
    builder().withOptions({ maxConcurrentReconciles: 1 }).complete(reconcile);
    await manager.start();
    await eventually(() => started.length === 1 && server.watches === 1);
    server.put(widgets, widget("z"));
    await eventually(() => manager.cache(widgets).get({ namespace: "shop", name: "z" }) !== undefined);
    for (let turn = 2; turn <= 4; turn += 1) {
      open();
      await eventually(() => started.length === turn);
    }
    open();
    expect(started).toEqual(["a", "z", "b", "c"]);
  });

  test("a failure backs off, harms no other object, and success starts again", async () => {
    server.put(widgets, widget("a"));
    server.put(widgets, widget("b"));
    const passes: string[] = [];
    let broken = true;
    const controller = builder().complete(({ metadata }) => {
      passes.push(metadata.name);
      if (metadata.name === "a" && broken) throw new Error("broken");
      return unchanged();
    });
    await manager.start();
    const count = () => passes.filter((name) => name === "a").length;
    await eventually(() => passes.length === 2);
    for (const [turn, delay] of [5, 10, 20, 40].entries()) {
      await clock.advance(delay - 1);
      expect(count()).toBe(turn + 1);
      await clock.advance(1);
      await eventually(() => count() === turn + 2);
    }
    expect(await metric('controller_runtime_reconcile_errors_total{controller="widget"}')).toBe("5");
    broken = false;
    await clock.advance(80);
    await eventually(() => count() === 6);
    broken = true;
    controller.enqueue(keyA);
    await eventually(() => count() === 7);
    await clock.advance(5);
    await eventually(() => count() === 8);
  });

  test("a wished time clears the back-off, and is ignored on an error", async () => {
    server.put(widgets, widget("a"));
    const answers = ["fail", "fail", "later", "fail"];
    let passes = 0;
    builder().complete(() => {
      const answer = answers[passes] ?? "done";
      passes += 1;
      if (answer === "fail") throw new Error("broken");
      return answer === "later" ? unchanged().again(60) : unchanged();
    });
    await manager.start();
    await eventually(() => passes === 1);
    await clock.advance(5);
    await eventually(() => passes === 2);
    await clock.advance(10);
    await eventually(() => passes === 3);
    await clock.advance(59_999);
    expect(passes).toBe(3);
    await clock.advance(1);
    await eventually(() => passes === 4);
    await clock.advance(5);
    await eventually(() => passes === 5);
    expect(await metric('controller_runtime_reconcile_total{controller="widget",result="requeue_after"}')).toBe("1");
  });

  test("a terminal error is counted and not retried until something changes", async () => {
    server.put(widgets, widget("a"));
    let passes = 0;
    builder().complete(() => {
      passes += 1;
      throw new TerminalError("never");
    });
    await manager.start();
    await eventually(() => passes === 1);
    await clock.advance(3_600_000);
    expect(passes).toBe(1);
    expect(await metric('controller_runtime_terminal_reconcile_errors_total{controller="widget"}')).toBe("1");
    await eventually(() => server.watches === 1);
    server.put(widgets, widget("a", 2));
    await eventually(() => passes === 2);
  });

  test("something thrown that is no Error kills no worker", async () => {
    server.put(widgets, widget("a"));
    let passes = 0;
    builder()
      .withOptions({ maxConcurrentReconciles: 1 })
      .complete(() => {
        passes += 1;
        if (passes === 1) throw "a string";
        return unchanged();
      });
    await manager.start();
    await eventually(() => passes === 1);
    await clock.advance(5);
    await eventually(() => passes === 2);
    expect(await metric('controller_runtime_reconcile_panics_total{controller="widget"}')).toBe("1");
  });

  test("an object that waits delays no other", async () => {
    const passes: string[] = [];
    builder()
      .withOptions({ maxConcurrentReconciles: 1 })
      .complete(({ metadata }) => {
        passes.push(metadata.name);
        return metadata.name === "a" ? waiting("Later", "not yet", 3_600) : ready();
      });
    server.put(widgets, widget("a"));
    server.put(widgets, widget("b"));
    await manager.start();
    await eventually(() => isTrue(server.find(widgets, { namespace: "shop", name: "b" }) ?? {}, "Ready"));
    expect(isTrue(server.find(widgets, keyA) ?? {}, "Reconciling")).toBe(true);
  });

  test("an update wakes the old and the new owner once each", async () => {
    const passes: string[] = [];
    const [a, b] = [server.put(widgets, widget("a")), server.put(widgets, widget("b"))];
    const child = (owner: DynamicObject, value: string) => ({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { namespace: "shop", name: "child", ownerReferences: [ownerReference(owner), ownerReference(owner)] },
      data: { value },
    });
    server.put(configMaps, child(a, "1"));
    builder()
      .owns(configMaps)
      .complete(({ metadata }) => {
        passes.push(metadata.name);
        return unchanged();
      });
    await manager.start();
    await eventually(() => passes.length === 2 && server.watches === 2);
    passes.length = 0;
    server.put(configMaps, child(b, "2"));
    await eventually(() => passes.length === 2);
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(passes.sort()).toEqual(["a", "b"]);
  });

  test("a cluster-scoped owner is woken without a namespace; owners of other kinds and mere owners are not", async () => {
    const passes: string[] = [];
    const owner = server.put(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } });
    manager
      .controller("namespace")
      .for(namespaces)
      .owns(pods)
      .complete(({ metadata }) => {
        passes.push(keyOf(metadata));
        return unchanged();
      });
    await manager.start();
    await eventually(() => passes.length === 1 && server.watches === 2);
    const other = server.put(widgets, widget("a"));
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { namespace: "shop", name: "p1", ownerReferences: [ownerReference(other)] } };
    server.put(pods, pod);
    server.put(pods, {
      ...pod,
      metadata: { ...pod.metadata, name: "p2", ownerReferences: [ownerReference(owner, { controller: false })] },
    });
    server.put(pods, { ...pod, metadata: { ...pod.metadata, name: "p3", ownerReferences: [ownerReference(owner)] } });
    await eventually(() => passes.length === 2);
    expect(passes).toEqual(["shop", "shop"]);
  });

  test("watches wake what their map answers, for the old and the new state", async () => {
    const passes: string[] = [];
    server.put(widgets, widget("a"));
    server.put(widgets, widget("b"));
    builder()
      .watches(configMaps, ({ data }) => [{ namespace: "shop", name: data.target }])
      .complete(({ metadata }) => {
        passes.push(metadata.name);
        return unchanged();
      });
    await manager.start();
    await eventually(() => passes.length === 2 && server.watches === 2);
    passes.length = 0;
    const pointer = (target: string) => ({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { namespace: "x", name: "p" },
      data: { target },
    });
    server.put(configMaps, pointer("a"));
    await eventually(() => passes.length === 1);
    server.put(configMaps, pointer("b"));
    await eventually(() => passes.length === 3);
    expect(passes[0]).toBe("a");
  });

  test("a map that fails on one of two states wakes what it answered for the other", async () => {
    const woken: string[] = [];
    builder()
      .watches(configMaps, ({ metadata, data }) => [{ namespace: metadata.namespace, name: data.widget }])
      .complete(({ metadata }) => {
        woken.push(metadata.name);
        return unchanged();
      });
    const metadata = { namespace: "shop", name: "x" };
    server.put(widgets, widget("a"));
    server.put(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata });
    await manager.start();
    await eventually(() => woken.length === 1 && server.watches === 2);
    server.put(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata, data: { widget: "a" } });
    await eventually(() => woken.length === 2);
  });

  test("the deletion of its own object reaches a controller whatever its predicate says, so that nothing about it is kept", async () => {
    builder();
    manager
      .controller("picky")
      .for(widgets, { predicate: ({ type }) => type === "added" })
      .complete(() => unchanged());
    server.put(widgets, widget("a"));
    await manager.start();
    const adds = () => metric('workqueue_adds_total{name="picky"');
    await expect.poll(adds).toBe("1");
    await eventually(() => server.watches === 1);
    server.delete(widgets, keyA);
    await expect.poll(adds).toBe("2");
  });

  test("a predicate keeps changes away", async () => {
    let passes = 0;
    manager
      .controller("picky")
      .for(widgets, { predicate: ({ object }) => object.spec.size > 1 })
      .complete(() => {
        passes += 1;
        return unchanged();
      });
    await manager.start();
    await eventually(() => server.watches === 1);
    server.put(widgets, widget("a", 1));
    server.put(widgets, widget("a", 2));
    await eventually(() => passes === 1);
  });

  test("a key whose object is gone is dropped without a pass", async () => {
    let passes = 0;
    const controller = builder().complete(() => {
      passes += 1;
      return unchanged();
    });
    await manager.start();
    controller.enqueue({ namespace: "shop", name: "nobody" });
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(passes).toBe(0);
  });

  test("a lost race for the status is tried again soon, and is no error", async () => {
    server.put(widgets, widget("a"));
    server.inject({ match: ({ method }) => method === "PUT", action: { do: "refuse", status: 409, reason: "Conflict" } });
    let passes = 0;
    builder().complete(() => {
      passes += 1;
      return ready();
    });
    await manager.start();
    await eventually(() => passes === 1 && server.faultsLeft === 0);
    while (!isTrue(server.find(widgets, keyA) ?? {}, "Ready")) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      await clock.advance(5);
    }
    expect(await metric('controller_runtime_reconcile_errors_total{controller="widget"}')).toBe("0");
    expect(await metric('controller_runtime_reconcile_total{controller="widget",result="requeue"}')).toBe("1");
  });

  test("a pass that takes too long is aborted and tried again; one that ignores that keeps its object, not its worker", async () => {
    server.put(widgets, widget("a"));
    server.put(widgets, widget("b"));
    const passes: string[] = [];
    let release = () => {};
    builder()
      .withOptions({ maxConcurrentReconciles: 1, reconcileTimeoutSeconds: 10 })
      .complete(async ({ metadata }) => {
        passes.push(metadata.name);
        if (metadata.name === "a" && passes.length === 1) {
          await new Promise<void>((resolve) => {
            release = resolve;
          });
        }
        return unchanged();
      });
    await manager.start();
    await eventually(() => passes.length === 1);
    await clock.advance(10_000);
    await eventually(() => passes.length === 2);
    expect(passes).toEqual(["a", "b"]);
    await clock.advance(60_000);
    expect(passes).toEqual(["a", "b"]);
    expect(await metric('controller_runtime_reconcile_timeouts_total{controller="widget"}')).toBe("1");
    release();
    await eventually(() => passes.length === 3);
    expect(passes[2]).toBe("a");
  });

  test("the context names the pass in the log, and its cache holds what the controller watches", async () => {
    const lines: Record<string, unknown>[] = [];
    const logger = (fields: object): Logger => ({
      ...silentLogger,
      info: (message, more) => lines.push({ message, ...fields, ...more }),
      child: (more) => logger({ ...fields, ...more }),
    });
    manager = newManager({ logger: logger({}) });
    server.put(widgets, widget("a"));
    builder().complete((object, ctx) => {
      expect(ctx.cache(widgets).get(keyA)).toBe(object);
      ctx.logger.info("seen");
      return unchanged();
    });
    await manager.start();
    await eventually(() => lines.some(({ message }) => message === "seen"));
    expect(lines.find(({ message }) => message === "seen")).toMatchObject({
      controller: "widget",
      kind: "Widget",
      object: "shop/a",
      reconcileID: expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
  });

  test("an apply is not repeated while neither manifest nor live object has changed", async () => {
    let value = "1";
    const child = (owner: DynamicObject) => ({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { namespace: "shop", name: "child", ownerReferences: [ownerReference(owner)] },
      data: { value },
    });
    let passes = 0;
    const controller = builder()
      .owns(configMaps)
      .complete((object) => {
        passes += 1;
        return unchanged().applying(child(object));
      });
    server.put(widgets, widget("a"));
    await manager.start();
    const applies = () => server.requests.filter(({ method }) => method === "PATCH").length;
    const childKey = { namespace: "shop", name: "child" };
    const another = async () => {
      const before = passes;
      controller.enqueue(keyA);
      await eventually(() => passes > before);
    };
    // An apply that the cache hasn't seen yet may be repeated; and a pass has ended once the next one has begun.
    const passAgain = async () => {
      await another();
      await eventually(() => manager.cache(configMaps).get(childKey)?.data.value === value);
      await another();
    };
    await eventually(() => passes >= 2);
    await passAgain();
    expect(applies()).toBe(1);
    value = "2";
    await passAgain();
    expect(applies()).toBe(2);
    await passAgain();
    expect(applies()).toBe(2);
    server.put(configMaps, { ...server.find(configMaps, childKey)!, data: { value: "meddled" } });
    await eventually(() => server.find(configMaps, childKey)?.data.value === "2");
  });

  test("a child whose name the server makes up is seen before the next pass, which so makes no second one", async () => {
    let passes = 0;
    const controller = builder()
      .owns(pods)
      .complete((object, ctx) => {
        passes += 1;
        if (passes < 5) controller.enqueue(object.metadata);
        if (ctx.cache(pods).list().length > 0) return unchanged();
        const metadata = { namespace: "shop", generateName: "a-", ownerReferences: [ownerReference(object)] };
        return unchanged().creating({ apiVersion: "v1", kind: "Pod", metadata });
      });
    server.put(widgets, widget("a"));
    await manager.start();
    await eventually(() => manager.cache(pods).list().length > 0);
    await expect
      .poll(async () => {
        await clock.advance(100);
        return passes;
      })
      .toBeGreaterThanOrEqual(5);
    expect(server.all(pods)).toHaveLength(1);
  });

  test("a pass that only waits for the cache leaves the back-off as it is", async () => {
    const attempts: unknown[] = [];
    const logger: Logger = { ...silentLogger, error: (_, fields) => void attempts.push(fields?.attempt), child: () => logger };
    manager = newManager({ logger });
    builder()
      .owns(pods)
      .complete((object) => {
        const metadata = { namespace: "shop", generateName: "a-", ownerReferences: [ownerReference(object)] };
        return unchanged().creating({ apiVersion: "v1", kind: "Pod", metadata });
      });
    server.inject({ times: 3, match: ({ method }) => method === "POST", action: { do: "refuse", status: 500 } });
    server.put(widgets, widget("a"));
    await manager.start();
    await expect
      .poll(async () => {
        await clock.advance(100);
        return attempts;
      })
      .toEqual([1, 2, 3]);
  });

  test("a status that never comes to rest is told of, with its field, and slowed down; anyone who changes the object waits for nothing", async () => {
    const warned: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (message) => void warned.push(message), child: () => logger };
    manager = newManager({ logger });
    let passes = 0;
    builder().complete(() => {
      passes += 1;
      return ready({ checked: passes, steady: true });
    });
    server.put(widgets, widget("a"));
    await manager.start();
    await eventually(() => warned.length > 0);
    expect(warned[0]).toContain("the status of Widget shop/a never comes to rest: every pass writes status.checked again");
    const atFirst = passes;
    await expect.poll(() => metric('controller_runtime_reconcile_total{controller="widget",result="requeue_after"}')).not.toBe("0");
    expect(passes).toBe(atFirst);
    await clock.advance(1_000);
    await eventually(() => passes === atFirst + 1);
    server.put(widgets, { ...server.find(widgets, keyA)!, spec: { size: 2 } });
    await eventually(() => passes > atFirst + 1);
  });

  test("where asked to, says on the object that its passes keep failing, and takes it back when they succeed", async () => {
    server.put(widgets, widget("a"));
    let broken = true;
    let passes = 0;
    builder()
      .withOptions({ reportFailures: true })
      .complete(() => {
        passes += 1;
        if (broken) throw new Error("the disk is full");
        return ready();
      });
    await manager.start();
    const reconciling = () => getCondition(server.find(widgets, keyA) ?? {}, "Reconciling");
    await eventually(() => passes === 1);
    expect(reconciling()).toBeUndefined();
    for (let step = 0; step < 20 && !reconciling(); step += 1) {
      await clock.advance(20);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(reconciling()).toMatchObject({ reason: "Retrying", message: "the reconcile failed and is tried again: the disk is full" });
    broken = false;
    await clock.advance(10_000);
    await eventually(() => isTrue(server.find(widgets, keyA) ?? {}, "Ready"));
    expect(reconciling()).toBeUndefined();
  });

  test.for([
    ["the same words", () => "the loader is unavailable"],
    ["other words each time", (n: number) => `the loader is unavailable (${n})`],
  ] as const)(
    "an effect that keeps failing with %s is tried with growing pauses, and its word stays until it succeeds",
    async ([, words]) => {
      server.put(widgets, widget("a"));
      let tries = 0;
      let broken = true;
      builder()
        .withOptions({ reportFailures: true })
        .complete(() =>
          ready().effect("move", async () => {
            tries += 1;
            if (broken) throw new Error(words(tries));
          }),
        );
      await manager.start();
      const reconciling = () => getCondition(server.find(widgets, keyA) ?? {}, "Reconciling");
      for (let step = 0; step < 200; step += 1) {
        await clock.advance(300);
        await new Promise((resolve) => setTimeout(resolve, 1));
      }
      expect(reconciling()).toMatchObject({ reason: "Retrying" });
      expect(tries).toBeGreaterThan(5);
      expect(tries).toBeLessThan(20);
      const writes = server.requests.filter(({ method, path }) => method === "PUT" && path.endsWith("/status"));
      expect(writes.length).toBeLessThan(tries + 2);
      broken = false;
      await clock.advance(200_000);
      await eventually(() => reconciling() === undefined);
      expect(isTrue(server.find(widgets, keyA) ?? {}, "Ready")).toBe(true);
    },
  );

  test("what the server refuses for long is told as Stalled and still tried with growing pauses, until it is accepted", async () => {
    server.put(widgets, widget("a"));
    const child = { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "shop", name: "x" } };
    server.inject({ match: ({ path }) => path.includes("configmaps/"), times: 999, action: { do: "refuse", status: 403 } });
    builder().complete(() => progressing("Starting", "it starts").applying(child));
    await manager.start();
    const type = (reason: string) =>
      conditionsOf(server.find(widgets, keyA)!).find((condition) => condition.status === "True" && condition.reason === reason)?.type;
    for (let step = 0; step < 300; step += 1) {
      await clock.advance(300);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(type("WriteFailed")).toBe("Stalled");
    const tries = server.requests.filter(({ method, path }) => method === "PATCH" && path.includes("configmaps/")).length;
    expect(tries).toBeGreaterThan(10);
    expect(tries).toBeLessThan(25);
    server.clearFaults();
    await clock.advance(200_000);
    await eventually(() => type("Starting") === "Reconciling");
    expect(type("WriteFailed")).toBeUndefined();
  });

  test("a cache with a selection is found with the same selection, counted in the metrics, and no other is made up", async () => {
    const selection = { labelSelector: { app: "x" } };
    server.put(widgets, widget("a"));
    server.put(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "shop", name: "x", labels: { app: "x" } } });
    const seen: number[] = [];
    const problems: unknown[] = [];
    builder()
      .owns(configMaps, selection)
      .complete((_object, ctx) => {
        seen.push(ctx.cache(configMaps, selection).list().length);
        try {
          ctx.cache(configMaps);
        } catch (error) {
          problems.push(error);
        }
        return unchanged();
      });
    await manager.start();
    await eventually(() => seen.length > 0);
    expect(seen[0]).toBe(1);
    expect(String(problems[0])).toContain("nothing caches configmaps with this selection");
    expect(await metric('kopf_cache_objects{resource="configmaps"}')).toBe("1");
  });
});
