import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DynamicObject } from "../api/object.ts";
import { resource } from "../api/resource.ts";
import { silentLogger } from "../core/logger.ts";
import { eventually, FakeApiServer, VirtualClock } from "../testing/index.ts";
import { TemporaryError } from "./errors.ts";
import { Operator } from "./operator.ts";

const widgets = resource({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });
const key = { namespace: "shop", name: "a" };
const widget = (size = 1, metadata: object = {}): DynamicObject => ({
  apiVersion: "example.dev/v1",
  kind: "Widget",
  metadata: { ...key, ...metadata },
  spec: { size },
});
const finalizer = "kopf-ts.dev/handlers";

let server: FakeApiServer;
let clock: VirtualClock;
let operators: Operator[];
beforeEach(async () => {
  server = await FakeApiServer.start({ resources: [widgets] });
  clock = new VirtualClock();
  operators = [];
});
afterEach(async () => {
  const stopped = Promise.all(operators.map((operator) => operator.stop()));
  await clock.advance(60_000);
  await stopped;
  await server.stop();
});

const current = () => server.find(widgets, key);
const annotation = (name: string) => current()?.metadata.annotations?.[`kopf-ts.dev/${name}`];
const pause = () => new Promise((resolve) => setTimeout(resolve, 25));

function newOperator(): Operator {
  const operator = new Operator({ client: server.client({ clock, retries: 0 }), clock, logger: silentLogger, freeze: "deep" });
  operators.push(operator);
  return operator;
}
async function watched(): Promise<void> {
  await eventually(() => server.watches > 0, "an open watch");
}
async function edit(change: Partial<DynamicObject>): Promise<void> {
  await watched();
  server.put(widgets, { ...(current() as DynamicObject), ...change });
}

describe("a delete handler runs before its finalizer goes", () => {
  test("and an object without a matching mandatory handler gets none", async () => {
    const operator = newOperator();
    const deleted: string[] = [];
    operator.on.delete(widgets, { labels: { guarded: "yes" } }, ({ name }) => void deleted.push(name));
    operator.on.delete(widgets, { optional: true, id: "optional" }, () => {});
    server.put(widgets, widget(1, { labels: { guarded: "yes" } }));
    server.put(widgets, widget(1, { name: "free" }));
    await operator.start();
    await eventually(() => current()?.metadata.finalizers?.includes(finalizer) ?? false);
    expect(server.find(widgets, { namespace: "shop", name: "free" })?.metadata.finalizers).toBeUndefined();
    await watched();
    server.delete(widgets, key);
    await eventually(() => current() === undefined);
    expect(deleted).toEqual(["a"]);
  });

  test("a failure keeps it, and the next attempt releases it", async () => {
    const operator = newOperator();
    let attempts = 0;
    operator.on.delete(widgets, { backoff: 10 }, () => {
      attempts += 1;
      if (attempts < 3) throw new Error("the disk is still in use");
    });
    server.put(widgets, widget());
    await operator.start();
    await eventually(() => current()?.metadata.finalizers?.length === 1);
    await watched();
    server.delete(widgets, key);
    await eventually(() => annotation("progress.delete") !== undefined);
    expect(JSON.parse(annotation("progress.delete")!)).toMatchObject({ retries: 1, message: "the disk is still in use" });
    await pause();
    await clock.advance(9_000);
    expect([attempts, current()?.metadata.finalizers]).toEqual([1, [finalizer]]);
    await clock.advance(1_000);
    await eventually(() => attempts === 2);
    await pause();
    await clock.advance(10_000);
    await eventually(() => current() === undefined);
    expect(attempts).toBe(3);
  });

  test("a finalizer that is no longer needed is taken away", async () => {
    const operator = newOperator();
    operator.on.delete(widgets, { labels: { guarded: true } }, () => {});
    server.put(widgets, widget(1, { labels: { guarded: "yes" } }));
    await operator.start();
    await eventually(() => current()?.metadata.finalizers?.length === 1);
    await edit({ metadata: { ...current()!.metadata, labels: {} } });
    await eventually(() => current()?.metadata.finalizers === undefined);
  });
});

test("a finalizer edit that meets another's is created again, and neither undoes the other", async () => {
  const operator = newOperator();
  operator.on.delete(widgets, () => {});
  server.put(widgets, widget());
  const edited = Promise.withResolvers<void>();
  server.inject({ match: ({ method }) => method === "PATCH", action: { do: "hold", until: edited.promise } });
  await operator.start();
  await eventually(() => server.requests.some(({ method }) => method === "PATCH"));
  await edit({ metadata: { ...current()!.metadata, finalizers: ["theirs/too"] } });
  edited.resolve();
  for (let turn = 0; turn < 20 && current()?.metadata.finalizers?.length !== 2; turn += 1) {
    await pause();
    await clock.advance(10);
  }
  expect(current()?.metadata.finalizers).toEqual(["theirs/too", finalizer]);
});

describe("the echo of an own patch calls no handler again", () => {
  test("whatever it changed: status, labels, spec", async () => {
    const operator = newOperator();
    const calls: string[] = [];
    operator.on.create(widgets, ({ patch }) => {
      calls.push("create");
      patch.metadata.labels.tier = "small";
      patch.spec.colour = "blue";
      patch.status.phase = "made";
    });
    operator.on.update(widgets, ({ diff }) => void calls.push(`update ${diff.map(({ path }) => path.join(".")).join()}`));
    await operator.start();
    await watched();
    server.put(widgets, widget());
    await eventually(() => annotation("last-handled") !== undefined);
    expect(current()).toMatchObject({
      metadata: { labels: { tier: "small" } },
      spec: { size: 1, colour: "blue" },
      status: { phase: "made" },
    });
    await edit({ status: { phase: "touched by another" } });
    await pause();
    expect(calls).toEqual(["create"]);
    await edit({ spec: { size: 2, colour: "blue" } });
    await eventually(() => calls.length === 2);
    await pause();
    expect(calls).toEqual(["create", "update spec.size"]);
  });

  test("what another changed meanwhile is not taken for our own", async () => {
    const operator = newOperator();
    const updates: unknown[] = [];
    operator.on.create(widgets, ({ patch }) => {
      patch.spec.colour = "blue";
      server.put(widgets, { ...current()!, spec: { size: 7 } });
    });
    operator.on.update(widgets, ({ spec }) => void updates.push(spec));
    await operator.start();
    await watched();
    server.put(widgets, widget());
    await eventually(() => updates.length === 1);
    expect(updates).toEqual([{ size: 7, colour: "blue" }]);
  });

  test("a state older than the own write is not acted upon for 5 s", async () => {
    const operator = newOperator();
    const calls: string[] = [];
    operator.on.create(widgets, { id: "first" }, () => void calls.push("first"));
    operator.on.create(widgets, { id: "second" }, () => {
      calls.push("second");
      if (calls.length === 2) server.muteWatches();
      throw new TemporaryError("not yet", { delay: 1 });
    });
    await operator.start();
    await watched();
    server.put(widgets, widget());
    await eventually(() => annotation("progress.second") !== undefined);
    await pause();
    await clock.advance(4_900);
    expect(calls).toEqual(["first", "second"]);
    // Counted from the response to the write, which may have come late.
    for (let turn = 0; turn < 20 && calls.length < 4; turn += 1) {
      await clock.advance(500);
      await pause();
    }
    expect(calls).toEqual(["first", "second", "first", "second"]);
  });
});

describe("retries and timeouts survive a restart", () => {
  test("as progress in annotations, which go with the end of the change", async () => {
    const attempts: number[] = [];
    const define = (operator: Operator) => {
      operator.on.create(widgets, { id: "done" }, () => void attempts.push(-1));
      operator.on.create(widgets, { id: "slow", retries: 3 }, ({ retry }) => {
        attempts.push(retry);
        throw new TemporaryError("not yet", { delay: 20 });
      });
    };
    const first = newOperator();
    define(first);
    server.put(widgets, widget());
    await first.start();
    await eventually(() => annotation("progress.slow") !== undefined);
    expect(annotation("last-handled")).toBeUndefined();
    expect(JSON.parse(annotation("progress.done")!)).toMatchObject({ ended: "success" });
    await first.stop();
    const second = newOperator();
    define(second);
    await second.start();
    await watched();
    await clock.advance(19_000);
    expect(attempts).toEqual([-1, 0]);
    await clock.advance(1_000);
    await eventually(() => attempts.length === 3);
    await eventually(() => JSON.parse(annotation("progress.slow") ?? "{}").retries === 2);
    await pause();
    await clock.advance(20_000);
    await eventually(() => annotation("last-handled") !== undefined);
    expect(attempts).toEqual([-1, 0, 1, 2]);
    expect(annotation("progress.slow")).toBeUndefined();
    expect(annotation("progress.done")).toBeUndefined();
  });

  test("counts the timeout from the first attempt, whichever process made it", async () => {
    const starts: string[] = [];
    const define = (operator: Operator) =>
      operator.on.create(widgets, { timeout: 30, backoff: 20 }, ({ started }) => {
        starts.push(started.toISOString());
        throw new Error("broken");
      });
    const first = newOperator();
    define(first);
    server.put(widgets, widget());
    await first.start();
    await eventually(() => annotation("progress.create") !== undefined);
    await first.stop();
    const second = newOperator();
    define(second);
    await second.start();
    await watched();
    await clock.advance(20_000);
    await eventually(() => annotation("last-handled") !== undefined);
    expect(starts).toEqual(["2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z"]);
  });

  test("a new change starts again: what failed for the old state is tried for the new one, what succeeded sees it too", async () => {
    const operator = newOperator();
    const calls: string[] = [];
    operator.on.create(widgets, { id: "fine" }, ({ spec }) => void calls.push(`fine ${spec.size}`));
    operator.on.create(widgets, { id: "poor", backoff: 100 }, ({ spec, retry }) => {
      calls.push(`poor ${spec.size} ${retry}`);
      if (spec.size === 1) throw new Error("too small");
    });
    server.put(widgets, widget(1));
    await operator.start();
    await eventually(() => annotation("progress.poor") !== undefined);
    await edit({ spec: { size: 2 } });
    await eventually(() => annotation("last-handled") !== undefined);
    expect(calls).toEqual(["fine 1", "poor 1 0", "fine 2", "poor 2 0"]);
  });

  test("a change that is taken back while it is being handled is taken back by those who had begun, and by nobody else", async () => {
    const operator = newOperator();
    const calls: string[] = [];
    operator.on.update(widgets, { id: "begun" }, ({ spec, diff }) => void calls.push(`begun ${spec.size} ${diff.length}`));
    operator.on.update(widgets, { id: "waits", backoff: 100 }, ({ spec, diff }) => {
      calls.push(`waits ${spec.size} ${diff.length}`);
      if (spec.size === 2) throw new Error("not now");
    });
    operator.on.field(widgets, "spec.colour", { id: "other" }, () => void calls.push("other"));
    server.put(widgets, widget(1));
    await operator.start();
    await eventually(() => annotation("last-handled") !== undefined);
    await edit({ spec: { size: 2 } });
    await eventually(() => annotation("progress.waits") !== undefined);
    await edit({ spec: { size: 1 } });
    await eventually(() => annotation("progress.waits") === undefined);
    await pause();
    expect(calls).toEqual(["begun 2 1", "waits 2 1", "begun 1 0", "waits 1 0"]);
  });

  test("objects whose handlers need no memory carry no annotations", async () => {
    const operator = newOperator();
    let ticks = 0;
    operator.timer(widgets, { interval: 10 }, () => {
      ticks += 1;
    });
    operator.on.event(widgets, () => {});
    operator.on.resume(widgets, () => {});
    server.put(widgets, widget());
    await operator.start();
    await eventually(() => ticks === 1);
    expect(current()?.metadata).not.toHaveProperty("annotations");
    expect(server.requests.filter(({ method }) => method !== "GET")).toEqual([]);
  });
});

test("resume runs once per process, for what was there, and not for what is being deleted", async () => {
  const calls: string[] = [];
  const define = (operator: Operator) => {
    const both = ({ name, reason }: { name: string; reason: string }) => void calls.push(`${reason} ${name}`);
    operator.on.resume(widgets, both);
    operator.on.create(widgets, both);
  };
  server.put(widgets, widget());
  server.put(widgets, widget(1, { name: "leaving", finalizers: ["theirs/hold"] }));
  server.delete(widgets, { namespace: "shop", name: "leaving" });
  const first = newOperator();
  define(first);
  await first.start();
  await eventually(() => annotation("last-handled") !== undefined);
  await edit({ spec: { size: 2 } });
  await pause();
  expect(calls).toEqual(["create a"]);
  await first.stop();
  const second = newOperator();
  define(second);
  await second.start();
  await watched();
  await eventually(() => calls.length === 2);
  server.put(widgets, widget(1, { name: "later" }));
  await eventually(() => calls.length === 3);
  await edit({ spec: { size: 3 } });
  await pause();
  expect(calls).toEqual(["create a", "resume a", "create later"]);
});

describe("timers and daemons", () => {
  test("timers never overlap", async () => {
    const operator = newOperator();
    let running = 0;
    let most = 0;
    let runs = 0;
    let finish = () => {};
    operator.timer(widgets, { interval: 5, sharp: true }, async () => {
      runs += 1;
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      running -= 1;
    });
    server.put(widgets, widget());
    await operator.start();
    await eventually(() => runs === 1);
    await edit({ spec: { size: 2 } });
    await clock.advance(12_000);
    expect(runs).toBe(1);
    finish();
    await pause();
    await clock.advance(2_900);
    expect(runs).toBe(1);
    await clock.advance(100);
    await eventually(() => runs === 2);
    expect(most).toBe(1);
    finish();
  });

  test("timers wait for their delay, and for the object to be idle", async () => {
    const operator = newOperator();
    const ran: string[] = [];
    operator.timer(widgets, { id: "late", interval: 100, initialDelay: 30 }, () => void ran.push("late"));
    operator.timer(widgets, { id: "idle", interval: 100, idle: 50 }, () => void ran.push("idle"));
    server.put(widgets, widget());
    await operator.start();
    await watched();
    await pause();
    await clock.advance(29_000);
    expect(ran).toEqual([]);
    await clock.advance(1_000);
    await eventually(() => ran.length === 1);
    await edit({ spec: { size: 2 } });
    await eventually(() => operator.manager.cache(widgets).get(key)?.spec.size === 2);
    await pause();
    await clock.advance(49_000);
    expect(ran).toEqual(["late"]);
    await clock.advance(1_000);
    await eventually(() => ran.length === 2);
    expect(ran).toEqual(["late", "idle"]);
  });

  function defineDaemon(operator: Operator, said: string[]) {
    operator.daemon(widgets, { labels: { watched: true } }, async (ctx) => {
      said.push(`up ${ctx.name}`);
      await new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve()));
      await pause();
      said.push(`down ${ctx.name} at ${ctx.body.metadata.deletionTimestamp ? "deletion" : "life"}`);
    });
  }

  test("a daemon ends when its object is deleted, and the object waits for it", async () => {
    const operator = newOperator();
    const said: string[] = [];
    defineDaemon(operator, said);
    server.put(widgets, widget(1, { labels: { watched: "yes" } }));
    await operator.start();
    await eventually(() => said.length === 1);
    expect(current()?.metadata.finalizers).toEqual([finalizer]);
    await watched();
    server.delete(widgets, key);
    await eventually(() => current() === undefined);
    expect(said).toEqual(["up a", "down a at deletion"]);
  });

  test("a daemon ends when its object no longer matches, and starts again when it does", async () => {
    const operator = newOperator();
    const said: string[] = [];
    defineDaemon(operator, said);
    server.put(widgets, widget(1, { labels: { watched: "yes" } }));
    await operator.start();
    await eventually(() => said.length === 1);
    await edit({ metadata: { ...current()!.metadata, labels: {} } });
    await eventually(() => said.length === 2 && current()?.metadata.finalizers === undefined);
    await edit({ metadata: { ...current()!.metadata, labels: { watched: "again" } } });
    await eventually(() => said.length === 3);
    expect(said).toEqual(["up a", "down a at life", "up a"]);
  });

  test("a daemon ends at the shutdown, which waits for it", async () => {
    const operator = newOperator();
    const said: string[] = [];
    defineDaemon(operator, said);
    server.put(widgets, widget(1, { labels: { watched: "yes" } }));
    await operator.start();
    await eventually(() => said.length === 1);
    await operator.stop();
    expect(said).toEqual(["up a", "down a at life"]);
  });

  test("the shutdown waits for a daemon whose object was deleted before it ended", async () => {
    const operator = newOperator();
    const said: string[] = [];
    const gate = Promise.withResolvers<void>();
    operator.daemon(widgets, async ({ signal }) => {
      said.push("up");
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      said.push("told");
      await gate.promise;
      said.push("down");
    });
    server.put(widgets, widget());
    await operator.start();
    await eventually(() => said.length === 1);
    await watched();
    server.delete(widgets, key);
    await eventually(() => said.length === 2);
    server.put(widgets, { ...current()!, metadata: { ...current()!.metadata, finalizers: [] } });
    await eventually(() => current() === undefined);
    await pause();
    const stopped = operator.stop().then(() => said.push("stopped"));
    await pause();
    gate.resolve();
    await stopped;
    expect(said).toEqual(["up", "told", "down", "stopped"]);
  });

  test("a daemon that fails is started again; one that will not end is left after its time", async () => {
    const operator = newOperator();
    let attempts = 0;
    operator.daemon(widgets, { backoff: 5, cancellationTimeout: 10 }, async () => {
      attempts += 1;
      if (attempts === 1) throw new Error("lost the connection");
      await new Promise(() => {});
    });
    server.put(widgets, widget());
    await operator.start();
    await eventually(() => attempts === 1);
    await pause();
    await clock.advance(5_000);
    await eventually(() => attempts === 2);
    await watched();
    server.delete(widgets, key);
    await pause();
    await clock.advance(9_000);
    expect(current()).toBeDefined();
    await clock.advance(1_000);
    await eventually(() => current() === undefined);
  });
});
