import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { staticCredentials } from "../api/credentials.ts";
import type { DynamicObject } from "../api/object.ts";
import { configMaps, events, leases, pods, resource } from "../api/resource.ts";
import { silentLogger } from "../core/logger.ts";
import { LeadershipLostError } from "../engine/leader-election.ts";
import { Manager } from "../engine/manager.ts";
import { ready } from "../outcome/outcome.ts";
import { eventually, FakeApiServer, VirtualClock } from "../testing/index.ts";
import { attempt } from "./attempt.ts";
import { diffOf } from "./diff.ts";
import { PermanentError, TemporaryError } from "./errors.ts";
import { essenceOf } from "./essence.ts";
import { Handlers } from "./handlers.ts";
import { Operator, type OperatorOptions } from "./operator.ts";

interface Widget extends DynamicObject {
  spec: { size: number; colour?: string };
}
const widgets = resource<Widget>({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });
const widget = (name: string, size = 1, metadata: object = {}): Widget => ({
  apiVersion: "example.dev/v1",
  kind: "Widget",
  metadata: { namespace: "shop", name, ...metadata },
  spec: { size },
});

let server: FakeApiServer;
let stops: (() => Promise<void>)[];
beforeEach(async () => {
  server = await FakeApiServer.start({ resources: [widgets] });
  stops = [];
});
afterEach(async () => {
  await Promise.all(stops.map((stop) => stop()));
  await server.stop();
});
function newOperator(options: OperatorOptions = {}): Operator {
  const operator = new Operator({ client: server.client(), logger: silentLogger, freeze: "deep", ...options });
  stops.push(() => operator.stop());
  return operator;
}
const handled = (name: string) => server.find(widgets, { namespace: "shop", name })?.metadata.annotations?.["kopf-ts.dev/last-handled"];
const watched = () => eventually(() => server.watches > 0, "an open watch");

describe("handlers of changes", () => {
  test("see what was, what is and what differs; a handler of a field only that field", async () => {
    const operator = newOperator();
    const seen: unknown[] = [];
    operator.on.update(widgets, ({ old, new: now, diff }) => void seen.push([old, now, diff]));
    operator.on.field(widgets, "spec.size", ({ reason, old, new: now }) => void seen.push([reason, old, now]));
    operator.on.field(widgets, "spec.colour", () => void seen.push("never"));
    server.put(widgets, widget("a", 1));
    await operator.start();
    await watched();
    await eventually(() => handled("a") !== undefined);
    server.put(widgets, { ...server.find(widgets, { namespace: "shop", name: "a" })!, spec: { size: 2 } });
    await eventually(() => seen.length === 3);
    expect(seen).toEqual([
      ["create", undefined, 1],
      [{ spec: { size: 1 } }, { spec: { size: 2 } }, [{ op: "change", path: ["spec", "size"], old: 1, new: 2 }]],
      ["update", 1, 2],
    ]);
  });

  test("of a field of status are told of it, anyone who wrote it; others are left alone", async () => {
    const operator = newOperator();
    const seen: unknown[] = [];
    operator.on.create(widgets, { id: "begin" }, ({ patch }) => {
      patch.metadata.labels.begun = "yes";
      patch.status.phase = "Begun";
    });
    operator.on.update(widgets, ({ diff }) => void seen.push(["update", diff]));
    operator.on.field(widgets, "status.phase", ({ reason, old, new: now }) => void seen.push([reason, old, now]));
    operator.on.field(widgets, "status.other", () => void seen.push("never"));
    server.put(widgets, widget("a"));
    await operator.start();
    await watched();
    await eventually(() => seen.length === 1 && (handled("a")?.includes("Begun") ?? false));
    const client = server.client();
    stops.push(() => client.close());
    await client.status.patch(widgets, { namespace: "shop", name: "a" }, { status: { phase: "Ended", count: 1 } });
    await eventually(() => handled("a")?.includes("Ended") ?? false);
    expect(seen).toEqual([
      ["update", undefined, "Begun"],
      ["update", "Begun", "Ended"],
    ]);
    expect(handled("a")).not.toContain("count");
  });

  test("are chosen by labels, annotations and a function; what they are not for is left without annotations", async () => {
    const operator = newOperator();
    const seen: string[] = [];
    const note =
      (id: string) =>
      ({ name }: { name: string }) =>
        void seen.push(`${id} ${name}`);
    operator.on.create(widgets, { id: "exact", labels: { tier: "gold" } }, note("exact"));
    operator.on.create(widgets, { id: "there", labels: { tier: true }, annotations: { skip: false } }, note("there"));
    operator.on.create(widgets, { id: "starts", labels: { tier: (value) => value?.startsWith("s") ?? false } }, note("starts"));
    operator.on.create(widgets, { id: "when", when: ({ spec }) => spec.size > 5 }, note("when"));
    server.put(widgets, widget("a", 1, { labels: { tier: "gold" } }));
    server.put(widgets, widget("b", 1, { labels: { tier: "silver" }, annotations: { skip: "yes" } }));
    server.put(widgets, widget("c", 9));
    server.put(widgets, widget("d", 1));
    await operator.start();
    await eventually(() => ["a", "b", "c"].every((name) => handled(name) !== undefined));
    expect(seen.toSorted()).toEqual(["exact a", "starts b", "there a", "when c"]);
    expect(handled("d")).toBeUndefined();
  });

  test("leave what they answer in the status; the patch of an unsubresourced kind is written all the same", async () => {
    const operator = newOperator();
    operator.on.create(widgets, { id: "make" }, () => ({ child: "a-child" }));
    operator.on.create(configMaps, ({ patch }) => {
      patch.data.seen = "yes";
      patch.metadata.labels.seen = "yes";
    });
    server.put(widgets, widget("a"));
    server.put(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "shop", name: "c" }, data: { x: "1" } });
    await operator.start();
    await eventually(() => handled("a") !== undefined);
    expect(server.find(widgets, { namespace: "shop", name: "a" })?.status).toEqual({ make: { child: "a-child" } });
    await eventually(() => server.find(configMaps, { namespace: "shop", name: "c" })?.data.seen === "yes");
  });

  test("leave it there once the server serves the status of a kind whose definition is new, and from then on", async () => {
    const operator = newOperator();
    operator.on.create(widgets, { id: "make" }, ({ name }) => `made ${name}`);
    const isStatus = ({ path }: { path: string }) => path.endsWith("/status");
    server.inject({ match: isStatus, times: 2, action: { do: "refuse", status: 404, reason: "NotFound" } });
    server.put(widgets, widget("a"));
    await operator.start();
    await eventually(() => server.find(widgets, { namespace: "shop", name: "a" })?.status?.make === "made a");
    server.put(widgets, widget("b"));
    await eventually(() => server.find(widgets, { namespace: "shop", name: "b" })?.status?.make === "made b");
  });

  test("that fail permanently are told in an Event and count as ended", async () => {
    const operator = newOperator();
    operator.on.create(widgets, { id: "make" }, () => {
      throw new PermanentError("there is no such colour");
    });
    server.put(widgets, widget("a"));
    await operator.start();
    await eventually(() => handled("a") !== undefined && server.all(events).length === 1);
    expect(server.all(events)[0]).toMatchObject({
      type: "Warning",
      reason: "HandlerFailed",
      note: "handler make failed permanently: there is no such colour",
      regarding: { name: "a" },
    });
  });

  test("whose patch the server refuses have failed this attempt: they are called again, and told of when the last attempt is over", async () => {
    const operator = newOperator();
    const calls: string[] = [];
    const paint = ({ name, patch }: { name: string; patch: { spec: Record<string, unknown> } }) => {
      calls.push(name);
      patch.spec.colour = "red";
    };
    operator.on.create(widgets, { id: "paint", retries: 2, backoff: 0.01, when: ({ name }) => name !== "c" }, paint);
    operator.on.create(widgets, { id: "rest", backoff: 0.01 }, () => {});
    operator.on.delete(widgets, { id: "leave", backoff: 0.01, when: ({ name }) => name === "c" }, paint);
    const patches = (name: string) => (request: { method: string; path: string; body: string }) =>
      request.method === "PATCH" && request.path.endsWith(`/${name}`) && request.body.includes("colour");
    const refuse = { do: "refuse", status: 422, reason: "Invalid" } as const;
    server.inject({ match: patches("a"), action: refuse });
    server.inject({ match: patches("b"), times: 9, action: refuse });
    server.inject({ match: patches("c"), action: refuse });
    for (const name of ["a", "b", "c"]) server.put(widgets, widget(name));
    await operator.start();
    await eventually(() => ["a", "b", "c"].every((name) => handled(name) !== undefined));
    const client = server.client();
    stops.push(() => client.close());
    await client.delete(widgets, { namespace: "shop", name: "c" });
    await eventually(() => server.find(widgets, { namespace: "shop", name: "c" }) === undefined);
    expect(calls.toSorted()).toEqual(["a", "a", "b", "b", "c", "c"]);
    expect(server.find(widgets, { namespace: "shop", name: "a" })?.spec.colour).toBe("red");
    expect(server.find(widgets, { namespace: "shop", name: "b" })?.spec.colour).toBeUndefined();
    await eventually(() => server.all(events).some(({ reason }) => reason === "HandlerFailed"));
    expect(server.all(events).find(({ reason }) => reason === "HandlerFailed")).toMatchObject({
      note: expect.stringMatching(/^handler paint failed permanently: .*what the handlers asked for in their patch is refused/),
      regarding: { name: "b" },
    });
  });

  test("remember a large state by its digest alone, and still see that it changed", async () => {
    const operator = newOperator();
    const seen: unknown[] = [];
    operator.on.update(
      widgets,
      ({ old, new: now, diff }) => void seen.push([old, (now as Widget).spec.size, diff.map(({ op, path }) => [op, path])]),
    );
    operator.on.field(widgets, ["spec", "absent"], ({ diff }) => void seen.push(["field", diff.map(({ op }) => op)]));
    const large = { ...widget("a"), spec: { size: 1, colour: "x".repeat(200_000) } };
    server.put(widgets, large);
    await operator.start();
    await watched();
    await eventually(() => handled("a") !== undefined);
    expect(handled("a")?.length).toBeLessThan(100);
    const current = () => server.find(widgets, { namespace: "shop", name: "a" })!;
    server.put(widgets, { ...current(), metadata: { ...current().metadata, finalizers: ["example.dev/other"] } });
    server.put(widgets, { ...current(), spec: { ...large.spec, size: 2 } });
    await eventually(() => seen.length > 1);
    expect(seen).toEqual([
      [undefined, 2, [["change", []]]],
      ["field", ["change"]],
    ]);
  });

  test("of one id twice are refused at once", () => {
    const operator = newOperator();
    operator.on.create(widgets, () => {});
    expect(() => operator.on.create(widgets, () => {})).toThrow(
      'Widget has a handler create already; give this create handler an id of its own: { id: "…" }',
    );
  });
});

test("event handlers hear everything, in order, once", async () => {
  const operator = newOperator();
  const heard: string[] = [];
  operator.on.event(widgets, async ({ type, name, spec }) => {
    await new Promise((resolve) => setTimeout(resolve, 2));
    heard.push(`${type} ${name} ${spec.size}`);
    if (spec.size === 2) throw new Error("ignored");
  });
  server.put(widgets, widget("a"));
  await operator.start();
  await watched();
  for (const size of [2, 3]) server.put(widgets, { ...server.find(widgets, { namespace: "shop", name: "a" })!, spec: { size } });
  server.delete(widgets, { namespace: "shop", name: "a" });
  server.put(widgets, widget("b"));
  await eventually(() => heard.length === 5);
  expect(heard.filter((one) => one.includes(" a "))).toEqual(["null a 1", "MODIFIED a 2", "MODIFIED a 3", "DELETED a 3"]);
  expect(heard).toContain("ADDED b 1");
});

test("a filter of an event handler that fails keeps no other handler from an object", async () => {
  const operator = newOperator();
  const called: string[] = [];
  operator.on.event(widgets, { id: "picky", when: ({ spec }) => spec.colour!.length > 0 }, () => void called.push("picky"));
  operator.on.event(widgets, { id: "every" }, ({ type }) => void called.push(`event ${type}`));
  operator.on.resume(widgets, () => void called.push("resume"));
  server.put(widgets, widget("a"));
  await operator.start();
  await eventually(() => called.length === 2);
  expect(called.sort()).toEqual(["event null", "resume"]);
});

test("an index is complete before the first handler, follows changes, and is found by name", async () => {
  const operator = newOperator();
  const pod = (name: string, node: string) => ({ apiVersion: "v1", kind: "Pod", metadata: { namespace: "shop", name }, spec: { node } });
  for (let turn = 0; turn < 20; turn += 1) server.put(pods, pod(`p${turn}`, `node-${turn % 2}`));
  const widgetsAreCached = eventually(() => server.requests.some(({ path, watch }) => watch && path.endsWith("/widgets")));
  server.inject({ match: ({ path }) => path.endsWith("/pods"), action: { do: "hold", until: widgetsAreCached } });
  const byNode = operator.index("byNode", pods, { when: ({ name }) => name !== "p0" }, ({ spec, name }) => ({
    [spec.node as string]: name,
  }));
  const seen: unknown[] = [];
  operator.on.create(widgets, ({ indices }) => void seen.push(indices.byNode?.get("node-0").length, indices.byNode?.get("node-1").length));
  server.put(widgets, widget("a"));
  await operator.start();
  await eventually(() => seen.length === 2);
  expect(seen).toEqual([9, 10]);
  await eventually(() => server.watches === 2);
  server.delete(pods, { namespace: "shop", name: "p1" });
  server.put(pods, { ...pod("p3", "node-2") });
  await eventually(() => byNode.has("node-2"));
  expect([byNode.get("node-1").length, byNode.get("node-2"), byNode.size]).toEqual([8, ["p3"], 3]);
});

test("the memo of an object lives with it, and its namesake starts with another", async () => {
  const operator = newOperator();
  const counts: number[] = [];
  operator.on.event(widgets, ({ memo }) => {
    memo.seen = (memo.seen ?? 0) + 1;
    counts.push(memo.seen);
  });
  await operator.start();
  await watched();
  server.put(widgets, widget("a"));
  server.put(widgets, widget("a", 2));
  server.delete(widgets, { namespace: "shop", name: "a" });
  server.put(widgets, widget("a"));
  await eventually(() => counts.length === 4);
  expect(counts).toEqual([1, 2, 3, 1]);
});

describe("activities", () => {
  test("startup comes before everything, cleanup after everything, probes are shown at /healthz, login gives the client", async () => {
    const order: string[] = [];
    const operator = new Operator({ logger: silentLogger, environment: {}, health: { port: 0, host: "127.0.0.1" } });
    stops.push(() => operator.stop());
    operator.on.login(() => undefined);
    operator.on.login(() => staticCredentials(server.url));
    operator.on.startup(async ({ client }) => {
      order.push(`startup ${(await client.list(widgets)).items.length}`);
    });
    operator.on.cleanup(() => void order.push("cleanup"));
    operator.on.probe({ id: "load" }, () => 0.5);
    operator.on.create(widgets, ({ name }) => void order.push(`create ${name}`));
    server.put(widgets, widget("a"));
    await operator.start();
    await eventually(() => order.length === 2);
    const answer = await fetch(`http://127.0.0.1:${operator.manager.healthPort}/healthz`);
    expect(await answer.text()).toBe("[+] load: 0.5\nok\n");
    await operator.stop();
    expect(order).toEqual(["startup 1", "create a", "cleanup"]);
  });

  test("a startup that fails ends the start; a probe that throws makes the program unwell", async () => {
    const broken = newOperator();
    broken.on.startup(() => {
      throw new Error("no licence");
    });
    await expect(broken.start()).rejects.toThrow("no licence");
    const unwell = newOperator({ client: server.client(), health: { port: 0, host: "127.0.0.1" } });
    unwell.on.probe({ id: "disk" }, () => {
      throw new Error("the disk is full");
    });
    await unwell.start();
    const answer = await fetch(`http://127.0.0.1:${unwell.manager.healthPort}/healthz`);
    expect([answer.status, await answer.text()]).toEqual([503, "[-] disk: the disk is full\nnot ok\n"]);
  });
});

test("handlers that a manager uses share its caches with reconcilers, and wait for the Lease as they do", async () => {
  const manager = new Manager({ client: server.client(), logger: silentLogger, leaderElection: { name: "w", namespace: "ops" } });
  stops.push(() => manager.stop());
  const seen: string[] = [];
  const handlers = manager.use(new Handlers());
  handlers.on.create(widgets, ({ name }) => void seen.push(name));
  manager
    .controller("widget")
    .for(widgets)
    .complete(() => ready());
  const theirs = { holderIdentity: "other", leaseDurationSeconds: 1 };
  server.put(leases, { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { namespace: "ops", name: "w" }, spec: theirs });
  server.put(widgets, widget("a"));
  await manager.start();
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(seen).toEqual([]);
  expect(server.requests.filter(({ path, watch }) => !watch && path.endsWith("/widgets"))).toHaveLength(1);
  expect(() => handlers.on.update(widgets, () => {})).toThrow("too late");
});

test("nothing is written once leadership is lost, not even what a daemon says last", async () => {
  const clock = new VirtualClock();
  const client = server.client({ clock, retries: 0 });
  const operator = newOperator({ client, clock, leaderElection: { name: "leader", namespace: "ops" } });
  let ended = false;
  operator.daemon(widgets, async ({ signal, patch }) => {
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
    patch.status.last = "words";
    ended = true;
  });
  server.put(widgets, widget("a"));
  await operator.start();
  await eventually(() => server.find(widgets, { namespace: "shop", name: "a" })?.metadata.finalizers?.length === 1);
  const lost = operator.manager.done.catch((error: unknown) => error);
  server.inject({ match: ({ path }) => path.includes("leases"), times: 1_000, action: { do: "refuse", status: 503 } });
  for (let second = 0; second < 13 && !ended; second += 1) {
    await clock.advance(1_000);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  expect(await lost).toBeInstanceOf(LeadershipLostError);
  expect(ended).toBe(true);
  await operator.stop();
  expect(server.find(widgets, { namespace: "shop", name: "a" })?.status).toBeUndefined();
});

describe("an attempt", () => {
  const at = { started: new Date(0), retries: 0 };
  const after = async (seconds: number) => {
    const clock = new VirtualClock(new Date(0));
    await clock.advance(seconds * 1000);
    return { clock, signal: new AbortController().signal };
  };
  const fail = (error: Error) => () => Promise.reject(error);

  test.each([
    ["success", {}, () => 42, { ended: "success", result: 42 }],
    ["an error: again after the back-off", {}, fail(new Error("x")), { again: 60, error: new Error("x") }],
    ["a back-off of its own", { backoff: 7 }, fail(new Error("x")), { again: 7 }],
    ["a temporary error's own delay", { backoff: 7 }, fail(new TemporaryError("x", { delay: 3 })), { again: 3 }],
    ["a permanent error", {}, fail(new PermanentError("x")), { ended: "failure" }],
    ["errors that are permanent", { errors: "permanent" as const }, fail(new Error("x")), { ended: "failure" }],
    ["errors that are ignored", { errors: "ignored" as const }, fail(new Error("x")), { ended: "success" }],
    ["a temporary error where others are permanent", { errors: "permanent" as const }, fail(new TemporaryError("x")), { again: 60 }],
    ["the last attempt", { retries: 1 }, fail(new Error("x")), { ended: "failure" }],
    ["an attempt whose next would come too late", { timeout: 30 }, fail(new Error("x")), { ended: "failure" }],
  ])("that meets %s", async (_what, options, run, expected) => {
    expect(await attempt(options, at, await after(0), run)).toMatchObject(expected);
  });

  test("that comes too late is not made", async () => {
    let made = false;
    const late = await attempt({ timeout: 10 }, at, await after(11), () => {
      made = true;
    });
    expect([late.ended, made]).toEqual(["failure", false]);
  });
});

test("a diff names the deepest places that differ", () => {
  expect(diffOf({ a: { b: 1, c: [1] }, d: 1 }, { a: { b: 2, c: [1] }, e: 1 })).toEqual([
    { op: "change", path: ["a", "b"], old: 1, new: 2 },
    { op: "remove", path: ["d"], old: 1, new: undefined },
    { op: "add", path: ["e"], old: undefined, new: 1 },
  ]);
});

test("the essence is without status, the server's metadata and our annotations", () => {
  const annotations = { "kopf-ts.dev/last-handled": "{}", "kubectl.kubernetes.io/last-applied-configuration": "{}", mine: "x" };
  const object = { ...widget("a", 1, { uid: "1", finalizers: ["f"], labels: {}, annotations }), status: { x: 1 } };
  expect(essenceOf(object, "kopf-ts.dev")).toEqual({ spec: { size: 1 }, metadata: { annotations: { mine: "x" } } });
});
