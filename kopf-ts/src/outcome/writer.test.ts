import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Client } from "../api/client.ts";
import type { DynamicObject, KubeObject } from "../api/object.ts";
import { configMaps, jobs, resource } from "../api/resource.ts";
import { jsonLogger, silentLogger } from "../core/logger.ts";
import { FakeRecorder } from "../testing/context.ts";
import { FakeApiServer, VirtualClock } from "../testing/index.ts";
import { conditionsOf, getCondition, isTrue } from "./conditions.ts";
import { failed, type Outcome, progressing, ready, stalled, succeeded, unchanged } from "./outcome.ts";
import { ownerReference } from "./owner.ts";
import { ForeignObjectError } from "./reconciler.ts";
import { OutcomeWriter } from "./writer.ts";

const widgets = resource({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });
const key = { namespace: "shop", name: "a" };
const widget = (metadata: object = {}): DynamicObject => ({
  apiVersion: "example.dev/v1",
  kind: "Widget",
  metadata: { ...key, ...metadata },
  spec: {},
});
const configMap = (name: string, more: object = {}): DynamicObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { namespace: "shop", name, ...more },
  data: { a: "1" },
});

let server: FakeApiServer;
let client: Client;
let recorder: FakeRecorder;
let abort: AbortController;
beforeEach(async () => {
  server = await FakeApiServer.start({ resources: [widgets] });
  client = server.client();
  recorder = new FakeRecorder();
  abort = new AbortController();
});
afterEach(async () => {
  await client.close();
  await server.stop();
});

const write = (object: KubeObject, outcome: Outcome) => {
  const writer = new OutcomeWriter({ client, resource: widgets, fieldManager: "widget", clock: new VirtualClock() });
  return writer.write(object, outcome, { logger: silentLogger, recorder, signal: abort.signal });
};
const writes = () =>
  server.requests.filter(({ method }) => method !== "GET").map(({ method, path }) => `${method} ${path.replace(/.*\/shop\//, "")}`);
const current = () => server.find(widgets, key);

describe("writing an outcome", () => {
  test("keeps the order: finalizer, status, event, creates, applies, deletes, effects, finalizers removed", async () => {
    const object = server.put(widgets, widget({ finalizers: ["old"] }));
    const orphan = server.put(configMaps, configMap("orphan"));
    const outcome = ready()
      .effect("tell", async () => {
        server.requests.push({ ...server.requests[0]!, method: "EFFECT", path: "tell" });
      })
      .deleting(orphan)
      .applying(configMap("applied"))
      .creating(configMap("created", { ownerReferences: [ownerReference(object)] }))
      .event("Normal", "Done", "done")
      .finalizer("new", true)
      .finalizer("old", false);
    expect(await write(object, outcome)).toBe("done");
    expect(writes()).toEqual([
      "PATCH widgets/a",
      "PUT widgets/a/status",
      "POST configmaps",
      "PATCH configmaps/applied",
      "DELETE configmaps/orphan",
      "EFFECT tell",
      "PUT widgets/a/status",
      "PATCH widgets/a",
    ]);
    expect(current()?.metadata.finalizers).toEqual(["new"]);
    expect(recorder.told).toMatchObject([{ event: { reason: "Done" }, regarding: { metadata: { name: "a" } } }]);
  });

  test("logs what it publishes as an event, and nothing where nothing happened", async () => {
    const lines: string[] = [];
    const logger = jsonLogger({ write: (line) => lines.push(line), now: () => new Date(0) });
    const writer = new OutcomeWriter({ client, resource: widgets, fieldManager: "widget", clock: new VirtualClock() });
    const object = server.put(widgets, widget());
    await writer.write(object, ready().event("Normal", "Painted", "it is red now"), { logger, recorder, signal: abort.signal });
    await writer.write(current()!, ready(), { logger, recorder, signal: abort.signal });
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([{ level: "info", message: "it is red now", reason: "Painted" }]);
  });

  test("does nothing after a step that failed: no event without a persisted status, no effect without the applies", async () => {
    const object = server.put(widgets, widget({ finalizers: ["old"] }));
    let effects = 0;
    const outcome = ready()
      .applying(configMap("x"))
      .event("Normal", "Done", "done")
      .effect("count", async () => {
        effects += 1;
      })
      .finalizer("old", false);
    server.inject({ match: ({ path }) => path.endsWith("/status"), action: { do: "refuse", status: 500 } });
    await expect(write(object, outcome)).rejects.toMatchObject({ status: 500 });
    expect([recorder.told.length, server.all(configMaps).length, effects]).toEqual([0, 0, 0]);
    server.inject({ match: ({ path }) => path.includes("configmaps"), action: { do: "refuse", status: 403, reason: "Forbidden" } });
    await expect(write(object, outcome)).rejects.toMatchObject({ status: 403 });
    expect([recorder.told.length, effects]).toEqual([0, 0]);
    expect(current()?.metadata.finalizers).toEqual(["old"]);
  });

  const conditionsNow = () => conditionsOf(current()!).map(({ type, status, reason }) => `${type}=${status} ${reason}`);

  test.each(["ready", "succeeded"] as const)("%s is claimed only when what it rests on has been written", async (kind) => {
    server.put(widgets, { ...widget(), status: { observedGeneration: 1, conditions: [] } });
    const said: string[][] = [];
    const outcome = (kind === "ready" ? ready({ size: 1 }) : succeeded({ size: 1 })).effect(
      "look",
      async () => void said.push(conditionsNow()),
    );
    expect(await write(current()!, outcome)).toBe("done");
    expect(said).toEqual([["Reconciling=True Writing"]]);
    expect(conditionsNow()).toContain(kind === "ready" ? "Ready=True Ready" : "Succeeded=True Succeeded");
    expect(conditionsNow().join()).not.toContain("Reconciling");
  });

  test("what the server refuses is said on the object, whose new generation is not claimed to be ready; the next passes write nothing more about it", async () => {
    const object = server.put(widgets, widget());
    expect(await write(object, ready({ size: 1 }))).toBe("done");
    server.put(widgets, { ...current()!, spec: { size: 2 } });
    const generation = current()!.metadata.generation as number;
    server.inject({ times: 3, match: ({ path }) => path.includes("configmaps"), action: { do: "refuse", status: 422, reason: "Invalid" } });
    const outcome = () => ready({ size: 2 }).applying(configMap("x"));
    await expect(write(current()!, outcome())).rejects.toMatchObject({ status: 422 });
    const afterFirst = current()!.metadata.resourceVersion;
    expect(getCondition(current()!, "Ready")).toMatchObject({ status: "True", observedGeneration: generation - 1 });
    expect((current()!.status as { observedGeneration: number }).observedGeneration).toBe(generation - 1);
    expect(getCondition(current()!, "Reconciling")).toMatchObject({
      status: "True",
      reason: "WriteFailed",
      message: expect.stringContaining("422"),
    });
    for (let pass = 0; pass < 2; pass += 1) await expect(write(current()!, outcome())).rejects.toMatchObject({ status: 422 });
    expect(current()!.metadata.resourceVersion).toBe(afterFirst);
    expect(await write(current()!, outcome())).toBe("done");
    expect(conditionsNow()).toEqual(["Ready=True Ready"]);
    expect(getCondition(current()!, "Ready")?.observedGeneration).toBe(generation);
  });

  const refuse = (words: string, status = 403, details = {}) =>
    server.inject({
      times: 99,
      match: ({ path }) => path.includes("configmaps"),
      action: { do: "refuse", status, reason: "Forbidden", message: words, details },
    });
  /** Passes over an object whose writes are refused for more than a minute. */
  async function passes(outcome: () => Outcome, times = 3) {
    const clock = new VirtualClock();
    const writer = new OutcomeWriter({ client, resource: widgets, fieldManager: "widget", clock });
    const pass = () => writer.write(current()!, outcome(), { logger: silentLogger, recorder, signal: abort.signal });
    for (let done = 0; done < times; done += 1) {
      await pass().catch(() => undefined);
      await clock.advance(45_000);
    }
    return pass;
  }
  const missingClass = 'pods "a" is forbidden: pod rejected: RuntimeClass "gvisor2" not found';

  test("a refusal that lasts is told as Stalled, with the server's words, until it ends by itself", async () => {
    server.put(widgets, widget());
    const outcome = () => progressing("Starting", "it starts", { size: 1 }).applying(configMap("x"));
    refuse(missingClass);
    await passes(outcome, 1);
    expect(conditionsNow().sort()).toEqual(["Ready=False Starting", "Reconciling=True WriteFailed"]);
    const pass = await passes(outcome);
    expect(conditionsNow().sort()).toEqual(["Ready=False WriteFailed", "Stalled=True WriteFailed"]);
    expect(getCondition(current()!, "Stalled")?.message).toContain('RuntimeClass "gvisor2" not found');
    expect(current()!.status).toMatchObject({ size: 1, observedGeneration: current()!.metadata.generation });
    const { resourceVersion } = current()!.metadata;
    await expect(pass()).rejects.toMatchObject({ status: 403 });
    expect(current()!.metadata.resourceVersion).toBe(resourceVersion);
    server.clearFaults();
    expect(await pass()).toBe("done");
    expect(conditionsNow().sort()).toEqual(["Ready=False Starting", "Reconciling=True Starting"]);
  });

  test("a program that starts again goes on saying that it is stalled", async () => {
    server.put(widgets, widget());
    const outcome = () => progressing("Starting", "it starts").applying(configMap("x"));
    refuse(missingClass);
    await passes(outcome);
    const { resourceVersion } = current()!.metadata;
    await passes(outcome, 1);
    expect(current()!.metadata.resourceVersion).toBe(resourceVersion);
  });

  test("an object that is ready stays so for the generation that was written, however long the next one is refused", async () => {
    server.put(widgets, widget());
    expect(await write(current()!, ready())).toBe("done");
    server.put(widgets, { ...current()!, spec: { size: 2 } });
    refuse(missingClass);
    await passes(() => ready().applying(configMap("x")));
    expect(conditionsNow().sort()).toEqual(["Ready=True Ready", "Stalled=True WriteFailed"]);
    expect(getCondition(current()!, "Ready")?.observedGeneration).toBe(current()!.metadata.generation! - 1);
  });

  test.each<[string, () => void]>([
    ["a quota that is used up", () => refuse('pods "a" is forbidden: exceeded quota: q, requested: pods=1, used: pods=9, limited: pods=9')],
    ["a namespace that goes", () => refuse("it is being terminated", 403, { causes: [{ reason: "NamespaceTerminating" }] })],
  ])("%s is no matter for a person, however long it lasts", async (_, given) => {
    server.put(widgets, widget());
    given();
    await passes(() => progressing("Starting", "it starts").applying(configMap("x")));
    expect(conditionsNow().sort()).toEqual(["Ready=False Starting", "Reconciling=True WriteFailed"]);
  });

  test("what a reconciler itself says to a person is not replaced by a refusal", async () => {
    server.put(widgets, widget());
    refuse(missingClass);
    await passes(() => stalled("TooLarge", "size 9 is too large").applying(configMap("x")));
    expect(conditionsNow()).toContain("Stalled=True TooLarge");
    expect(conditionsNow()).toContain("Ready=False TooLarge");
  });

  test("a finalizer stays when the clean-up before it fails", async () => {
    const object = server.put(widgets, widget({ finalizers: ["clean-up"] }));
    const outcome = unchanged()
      .effect("clean up", () => Promise.reject(new Error("the disk is busy")))
      .finalizer("clean-up", false);
    await expect(write(object, outcome)).rejects.toThrow("the disk is busy");
    expect(current()?.metadata.finalizers).toEqual(["clean-up"]);
  });

  test("the last finalizer of a deleted object lets it go", async () => {
    server.put(widgets, widget({ finalizers: ["mine"] }));
    server.delete(widgets, key);
    expect(await write(current()!, progressing("Deleting", "goes").finalizer("mine", false))).toBe("done");
    expect(current()).toBeUndefined();
  });

  test("a finalizer edit that lost the race is a conflict, not an error", async () => {
    const stale = server.put(widgets, widget({ finalizers: ["mine"] }));
    server.put(widgets, widget({ finalizers: ["mine", "theirs"] }));
    expect(await write(stale, unchanged().finalizer("mine", false))).toBe("conflict");
    expect(current()?.metadata.finalizers).toEqual(["mine", "theirs"]);
  });

  test("a child that exists when it is created and is gone when it is looked at is created by the next pass", async () => {
    const object = server.put(widgets, widget());
    server.inject({ match: ({ method }) => method === "POST", action: { do: "refuse", status: 409, reason: "AlreadyExists" } });
    await expect(write(object, unchanged().creating(configMap("x")))).rejects.toThrow();
    await write(object, unchanged().creating(configMap("x")));
    expect(server.all(configMaps)).toHaveLength(1);
  });

  test("a status decided from an old spec isn't written as if it were about the new one that a finalizer's answer brings", async () => {
    const stale = server.put(widgets, widget({ finalizers: ["theirs"] }));
    server.put(widgets, { ...current()!, spec: { size: 2 } });
    expect(await write(stale, failed("TooLarge", "size 1 is too large").finalizer("mine", true))).toBe("conflict");
    expect(current()).toMatchObject({ metadata: { generation: 2, finalizers: ["theirs", "mine"] } });
    expect(current()?.status).toBeUndefined();
  });

  test("a finalizer that the server refuses for another reason than a lost race is an error", async () => {
    const object = server.put(widgets, widget());
    server.inject({ match: ({ method }) => method === "PATCH", action: { do: "refuse", status: 422 } });
    await expect(write(object, unchanged().finalizer("mine", true))).rejects.toThrow();
    server.inject({ match: ({ method }) => method === "PATCH", action: { do: "refuse", status: 422 } });
    server.put(widgets, { ...current()!, spec: { size: 3 } });
    expect(await write(object, unchanged().finalizer("mine", true))).toBe("conflict");
  });

  test("a status decided from an old object is a conflict and changes nothing", async () => {
    const stale = server.put(widgets, widget());
    server.put(widgets, { ...widget(), spec: { size: 2 } });
    expect(await write(stale, ready().applying(configMap("x")))).toBe("conflict");
    expect(server.all(configMaps)).toEqual([]);
  });

  test("an object that is gone needs no status", async () => {
    const object = server.put(widgets, widget());
    server.delete(widgets, key);
    expect(await write(object, ready())).toBe("gone");
  });

  test("a status that the server doesn't know yet, of an object that is there, is an error, so that it is written later", async () => {
    const object = server.put(widgets, widget());
    const unknown = { do: "refuse", status: 404, reason: "NotFound" } as const;
    server.inject({ match: ({ path }) => path.endsWith("/status"), action: unknown });
    await expect(write(object, ready())).rejects.toMatchObject({ status: 404 });
    server.inject({ match: ({ path }) => path.endsWith("/status"), action: unknown });
    server.inject({ match: ({ method }) => method === "GET", action: { do: "refuse", status: 403, reason: "Forbidden" } });
    expect(await write(object, ready())).toBe("conflict");
    expect(await write(object, ready())).toBe("done");
    expect(current()?.status).toBeDefined();
  });

  test("an ending is never taken back, while the rest of the outcome is carried out", async () => {
    const object = server.put(widgets, widget());
    await write(object, succeeded({ digest: "x" }));
    const ended = current()!;
    expect(await write(ended, failed("Vanished", "the pods are gone").applying(configMap("x")))).toBe("done");
    expect(isTrue(current()!, "Succeeded")).toBe(true);
    expect(isTrue(current()!, "Failed")).toBe(false);
    expect(server.all(configMaps)).toHaveLength(1);
  });

  test("a status write leaves spec and metadata of the object alone", async () => {
    const object = server.put(widgets, { ...widget({ labels: { a: "b" } }), spec: { size: 3 } });
    await write(object, ready({ holders: 1 }));
    expect(current()).toMatchObject({ metadata: { labels: { a: "b" }, generation: 1 }, spec: { size: 3 }, status: { holders: 1 } });
  });

  test("creating what we created before is fine; what somebody else has is a ForeignObjectError that says whose it is", async () => {
    const object = server.put(widgets, widget());
    const other = server.put(widgets, { ...widget(), metadata: { namespace: "shop", name: "b" } });
    const mine = configMap("child", { ownerReferences: [ownerReference(object)] });
    await write(object, unchanged().creating(mine));
    expect(await write(object, unchanged().creating(mine))).toBe("done");
    server.put(configMaps, configMap("taken", { ownerReferences: [ownerReference(other)] }));
    const taken = configMap("taken", { ownerReferences: [ownerReference(object)] });
    const error = await write(object, unchanged().creating(taken)).catch((problem: unknown) => problem);
    expect(error).toBeInstanceOf(ForeignObjectError);
    expect((error as Error).message).toContain(`ConfigMap shop/taken exists already and belongs to Widget b`);
  });

  test("without a controller, what exists is ours if it carries our labels", async () => {
    const object = server.put(widgets, widget());
    server.put(configMaps, configMap("next", { labels: { root: "a", extra: "x" } }));
    expect(await write(object, unchanged().creating(configMap("next", { labels: { root: "a" } })))).toBe("done");
    await expect(write(object, unchanged().creating(configMap("next", { labels: { root: "b" } })))).rejects.toBeInstanceOf(
      ForeignObjectError,
    );
  });

  test("a delete never hits a successor of the same name, and what is gone is fine", async () => {
    const object = server.put(widgets, widget());
    const first = server.put(configMaps, configMap("x"));
    server.delete(configMaps, first.metadata);
    expect(await write(object, unchanged().deleting(first))).toBe("done");
    server.put(configMaps, configMap("x"));
    expect(await write(object, unchanged().deleting(first))).toBe("conflict");
    expect(server.all(configMaps)).toHaveLength(1);
  });

  test("a deleted Job takes its pods along", async () => {
    const object = server.put(widgets, widget());
    const job = server.put(jobs, { apiVersion: "batch/v1", kind: "Job", metadata: { namespace: "shop", name: "j" } });
    await write(object, unchanged().deleting(job));
    expect(JSON.parse(server.requests.at(-1)!.body)).toMatchObject({
      propagationPolicy: "Background",
      preconditions: { uid: job.metadata.uid },
    });
  });

  test("applying is forced, signed by the controller, and removes what it no longer names", async () => {
    const object = server.put(widgets, widget());
    await write(object, unchanged().applying({ ...configMap("x"), data: { a: "1", b: "2" } }));
    await write(object, unchanged().applying({ ...configMap("x"), data: { a: "1" } }));
    expect(server.find(configMaps, { namespace: "shop", name: "x" })?.data).toEqual({ a: "1" });
    expect(server.requests.at(-1)?.query.get("fieldManager")).toBe("widget");
    expect(server.requests.at(-1)?.query.get("force")).toBe("true");
  });

  test("applying takes no child from nobody or from others, though it is forced; adopting takes an orphan", async () => {
    const object = server.put(widgets, widget());
    const child = configMap("x", { ownerReferences: [ownerReference(object)] });
    const data = () => server.find(configMaps, child.metadata)?.data;
    server.put(configMaps, { ...configMap("x"), data: { theirs: "1" } });
    await expect(write(object, unchanged().applying(child))).rejects.toThrow(
      "ConfigMap shop/x exists already and belongs to nobody; delete or rename it, or take it over with .adopting(…)",
    );
    expect(data()).toEqual({ theirs: "1" });
    expect(await write(object, unchanged().adopting(child))).toBe("done");
    expect(data()).toMatchObject(child.data);
    expect(await write(object, unchanged().applying(child))).toBe("done");
    const other = server.put(widgets, widget({ name: "b" }));
    const stolen = configMap("x", { ownerReferences: [ownerReference(other)] });
    await expect(write(other, unchanged().applying(stolen))).rejects.toBeInstanceOf(ForeignObjectError);
  });

  test("a child of one name in another group is another child", async () => {
    const istio = resource({ group: "networking.istio.io", version: "v1", kind: "Gateway", plural: "gateways" });
    const standard = resource({ group: "gateway.networking.k8s.io", version: "v1", kind: "Gateway", plural: "gateways" });
    const both = await FakeApiServer.start({ resources: [widgets, istio, standard] });
    const reader = both.client();
    try {
      const object = both.put(widgets, widget());
      const gateway = ({ group }: typeof istio, more: object = {}): DynamicObject => ({
        apiVersion: `${group}/v1`,
        kind: "Gateway",
        metadata: { namespace: "shop", name: "a", ...more },
        spec: {},
      });
      const owned = { ownerReferences: [ownerReference(object)] };
      both.put(standard, gateway(standard));
      const writer = new OutcomeWriter({ client: reader, resource: widgets, fieldManager: "widget", clock: new VirtualClock() });
      const outcome = unchanged().applying(gateway(istio, owned), gateway(standard, owned));
      const written = writer.write(object, outcome, { logger: silentLogger, recorder, signal: abort.signal });
      await expect(written).rejects.toBeInstanceOf(ForeignObjectError);
      expect(both.find(istio, key)?.metadata.ownerReferences).toHaveLength(1);
    } finally {
      await reader.close();
      await both.stop();
    }
  });

  test("what was applied for a deleted object is not taken for its namesake's", async () => {
    const writer = new OutcomeWriter({ client, resource: widgets, fieldManager: "widget", clock: new VirtualClock() });
    const apply = (owner: KubeObject) => {
      const child = configMap("x", { ownerReferences: [ownerReference(owner)] });
      return writer.write(owner, unchanged().applying(child), { logger: silentLogger, recorder, signal: abort.signal });
    };
    expect(await apply(server.put(widgets, widget()))).toBe("done");
    server.delete(widgets, key);
    server.put(configMaps, configMap("x"));
    await expect(apply(server.put(widgets, widget()))).rejects.toBeInstanceOf(ForeignObjectError);
  });

  test("after a creation whose response was lost, the next pass waits until the cache must show it", async () => {
    const clock = new VirtualClock();
    const writer = new OutcomeWriter({ client, resource: widgets, fieldManager: "widget", clock, willShow: () => true });
    const object = server.put(widgets, widget());
    const child = { ...configMap(""), metadata: { namespace: "shop", generateName: "x-" } };
    const create = () => writer.write(object, unchanged().creating(child), { logger: silentLogger, recorder, signal: abort.signal });
    server.inject({ match: ({ method }) => method === "POST", action: { do: "refuse", status: 403 } });
    await expect(create()).rejects.toMatchObject({ status: 403 });
    expect(writer.pauseBefore(object)).toBe(0);
    server.inject({ match: ({ method }) => method === "POST", action: { do: "reset after" } });
    await expect(create()).rejects.toThrow("got no answer");
    expect(server.all(configMaps)).toHaveLength(1);
    expect(writer.pauseBefore(object)).toBeGreaterThan(0);
    await clock.advance(1_000);
    expect(writer.pauseBefore(object)).toBe(0);
  });

  test("a status that never comes to rest is slowed down even where every pass fails after it", async () => {
    const writer = new OutcomeWriter({ client, resource: widgets, fieldManager: "widget", clock: new VirtualClock() });
    server.put(widgets, widget());
    for (let pass = 1; pass <= 20; pass += 1) {
      expect(writer.pauseBefore(current()!)).toBe(0);
      const outcome = progressing("Trying", "", { pass }).effect("fail", () => Promise.reject(new Error("not yet")));
      await expect(writer.write(current()!, outcome, { logger: silentLogger, recorder, signal: abort.signal })).rejects.toThrow("not yet");
    }
    expect(writer.pauseBefore(current()!)).toBe(1);
    expect(recorder.told.map(({ event }) => event.reason)).toEqual(["StatusLoop"]);
  });

  test("applying what has no owner merges into what is there, whosever it is", async () => {
    const object = server.put(widgets, widget());
    server.put(configMaps, { ...configMap("x"), data: { theirs: "1" } });
    expect(await write(object, unchanged().applying(configMap("x")))).toBe("done");
    expect(server.find(configMaps, { namespace: "shop", name: "x" })?.data).toEqual({ theirs: "1", a: "1" });
  });

  test("an aborted pass runs no effect", async () => {
    const object = server.put(widgets, widget());
    let effects = 0;
    const outcome = unchanged()
      .effect("first", async () => abort.abort(new Error("too late")))
      .effect("second", async () => {
        effects += 1;
      });
    await expect(write(object, outcome)).rejects.toThrow("too late");
    expect(effects).toBe(0);
  });
});
