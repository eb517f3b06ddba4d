import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { DynamicObject } from "../api/object.ts";
import { events, resource } from "../api/resource.ts";
import { silentLogger } from "../core/logger.ts";
import { eventually, FakeApiServer, VirtualClock } from "../testing/index.ts";
import { oddValues } from "../testing/odd-values.ts";
import { Operator } from "./operator.ts";

const widgets = resource({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });
const widget = (name: string, metadata: object = {}): DynamicObject => ({
  apiVersion: "example.dev/v1",
  kind: "Widget",
  metadata: { namespace: "shop", name, ...metadata },
  spec: { size: 1 },
});
const key = { namespace: "shop", name: "a" };

let server: FakeApiServer;
let clock: VirtualClock;
let stops: (() => Promise<unknown>)[];
beforeEach(async () => {
  server = await FakeApiServer.start({ resources: [widgets] });
  clock = new VirtualClock();
  stops = [];
});
afterEach(async () => {
  for (const stop of stops) {
    const stopped = stop();
    for (let second = 0; second < 60; second += 1) await clock.advance(1_000);
    await stopped;
  }
  await server.stop();
});

function newOperator(options: { maxConcurrentReconciles?: number } = {}): Operator {
  const operator = new Operator({
    client: server.client({ clock, retries: 0 }),
    clock,
    logger: silentLogger,
    health: { port: 0 },
    ...options,
  });
  stops.push(() => operator.stop().catch(() => undefined));
  return operator;
}

/** Lets virtual seconds pass one by one, with time for real requests in each. */
async function pass(seconds: number): Promise<void> {
  for (let second = 0; second < seconds; second += 1) {
    await clock.advance(1_000);
    await new Promise((resolve) => setTimeout(resolve, 4));
  }
}
const current = () => server.find(widgets, key) as DynamicObject | undefined;
const handled = () => current()?.metadata.annotations?.["kopf-ts.dev/last-handled"];
const told = (reason: string) => server.all(events).filter((event) => event.reason === reason);
const cycle: Record<string, unknown> = {};
cycle.self = cycle;

describe("an attempt whose outcome cannot be recorded has failed", () => {
  test.each<[string, unknown]>([
    ["a BigInt", 1n],
    ["a cycle", cycle],
    [
      "what throws when it is read",
      {
        toJSON: () => {
          throw new Error("unreadable");
        },
      },
    ],
  ])("%s in its result: retries and back-off hold, an Event tells, and the other handlers' results are kept", async (_what, result) => {
    const operator = newOperator();
    const calls: number[] = [];
    operator.on.create(widgets, { id: "odd", retries: 3, backoff: 30 }, ({ retry }) => {
      calls.push(retry);
      return result;
    });
    operator.on.create(widgets, { id: "even" }, () => ({ fine: true }));
    server.put(widgets, widget("a"));
    await operator.start();
    await eventually(() => calls.length === 1);
    await pass(20);
    expect(calls).toEqual([0]);
    expect(told("HandlerNotRecorded")).toHaveLength(1);
    await pass(70);
    expect(calls).toEqual([0, 1, 2]);
    expect(handled()).toBeDefined();
    expect(current()?.status).toEqual({ even: { fine: true } });
    expect(told("HandlerFailed")[0]).toMatchObject({
      note: expect.stringMatching(/^handler odd failed permanently: all 3 attempts failed/),
    });
  });

  test.each([
    ["refuses the object as too large", { status: 413, reason: "RequestEntityTooLarge" }],
    ["has no room for more annotations", { status: 422, reason: "Invalid" }],
    ["fails on it again and again", { status: 500, reason: "InternalError" }],
  ])("where the server %s: counted in memory, whatever the object says", async (_what, answer) => {
    const operator = newOperator();
    const calls: number[] = [];
    operator.on.create(widgets, { id: "make", retries: 3, backoff: 30 }, ({ retry }) => {
      calls.push(retry);
    });
    server.inject({
      match: ({ method, body }) => method === "PATCH" && body.includes("kopf-ts.dev/"),
      times: 1_000,
      action: { do: "refuse", ...answer },
    });
    server.put(widgets, widget("a"));
    await operator.start();
    await eventually(() => calls.length === 1);
    await pass(25);
    expect(calls).toEqual([0]);
    await pass(90);
    expect(calls).toEqual([0, 1, 2]);
    await pass(120);
    expect(calls).toEqual([0, 1, 2]);
    expect(told("HandlerNotRecorded").length).toBeGreaterThan(0);
    expect(told("HandlerFailed")).toHaveLength(1);
  });

  test("a server that is out of reach for a while costs no attempt: what was done is written when it is back", async () => {
    const operator = newOperator();
    let calls = 0;
    operator.on.create(widgets, { id: "make", retries: 1 }, () => {
      calls += 1;
      return { made: true };
    });
    server.inject({ match: ({ method }) => method === "PATCH", times: 4, action: { do: "refuse", status: 503 } });
    server.put(widgets, widget("a"));
    await operator.start();
    await eventually(() => calls === 1);
    await pass(10);
    expect([calls, current()?.status, handled() !== undefined]).toEqual([1, { make: { made: true } }, true]);
  });

  test("a timer's too: its retries hold, and it runs no more", async () => {
    const operator = newOperator();
    const calls: number[] = [];
    operator.timer(widgets, { id: "tick", interval: 5, retries: 2, backoff: 30 }, ({ retry }) => {
      calls.push(retry);
      return 1n;
    });
    server.put(widgets, widget("a"));
    await operator.start();
    await eventually(() => calls.length === 1);
    await pass(20);
    expect(calls).toEqual([0]);
    await pass(60);
    expect(calls).toEqual([0, 1]);
    expect(told("HandlerFailed")).toHaveLength(1);
  });
});

describe("a handler that never returns", () => {
  test("hears its signal at its timeout, has failed, holds no worker, and is never run beside itself", async () => {
    const operator = newOperator({ maxConcurrentReconciles: 1 });
    const signals: AbortSignal[] = [];
    const others: string[] = [];
    let release = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    operator.on.create(widgets, { id: "stuck", timeout: 5, when: ({ name }) => name === "a" }, async ({ signal }) => {
      signals.push(signal);
      await gate;
    });
    operator.on.create(widgets, { id: "other" }, ({ name }) => void others.push(name));
    server.put(widgets, widget("a"));
    await operator.start();
    await eventually(() => signals.length === 1);
    server.put(widgets, widget("b"));
    await pass(8);
    expect(signals[0]?.aborted).toBe(true);
    expect(others).toEqual(["b"]);
    expect(told("HandlerFailed")[0]?.note).toContain("handler stuck failed permanently: it has not succeeded within 5 s");
    server.put(widgets, { ...current()!, spec: { size: 2 } });
    await pass(15);
    const ready = await fetch(`http://127.0.0.1:${operator.manager.healthPort}/readyz`);
    expect([ready.status, await ready.text()]).toEqual([503, expect.stringMatching(/\[-\] stragglers: .*shop\/a/)]);
    expect(await operator.manager.metrics.text()).toContain('kopf_stragglers{controller="widgets.example.dev"} 1');
    expect([signals.length, others]).toEqual([1, ["b"]]);
    release();
    await eventually(() => others.includes("a"));
    await pass(1);
    expect((await fetch(`http://127.0.0.1:${operator.manager.healthPort}/readyz`)).status).toBe(200);
  });

  test("of a timer is an attempt of the timer, which does not overlap itself", async () => {
    const operator = newOperator();
    let running = 0;
    let most = 0;
    const releases: (() => void)[] = [];
    operator.timer(widgets, { id: "tick", interval: 1, timeout: 3 }, async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => releases.push(resolve));
      running -= 1;
    });
    server.put(widgets, widget("a"));
    await operator.start();
    await eventually(() => running === 1);
    await pass(30);
    expect([running, most]).toEqual([1, 1]);
    for (const release of releases) release();
    await eventually(() => told("HandlerFailed").length === 1);
  });
});

test.each(Object.entries(oddValues()))("a handler that throws %s has failed its attempt, and the worker lives", async (_what, odd) => {
  const operator = newOperator();
  let calls = 0;
  operator.on.create(widgets, { id: "odd", retries: 1 }, () => {
    calls += 1;
    throw odd;
  });
  operator.on.event(widgets, () => {
    throw odd;
  });
  operator.define((manager) =>
    manager
      .controller("odd")
      .for(widgets)
      .complete(() => {
        throw odd;
      }),
  );
  server.put(widgets, widget("a"));
  await operator.start();
  await eventually(() => handled() !== undefined && told("HandlerFailed").length === 1);
  expect(calls).toBe(1);
  expect(await operator.manager.metrics.text()).toMatch(/controller_runtime_reconcile_errors_total\{controller="odd"\} [1-9]/);
});
