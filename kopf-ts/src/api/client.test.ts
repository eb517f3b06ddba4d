import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { eventually, FakeApiServer } from "../testing/index.ts";
import { ApiError, isAlreadyExists, isConflict, isGone, isInvalid, isNotFound } from "./api-error.ts";
import type { Client } from "./client.ts";
import { selectorText } from "./requests.ts";
import { configMaps, jobs, nodes, pathOf, pods, resource } from "./resource.ts";

const key = { namespace: "shop", name: "a" };
const configMap = (name = "a", data: Record<string, string> = { x: "1" }, labels: Record<string, string> = {}) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { namespace: "shop", name, labels },
  data,
});
const widgets = resource({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });

let server: FakeApiServer;
let client: Client;
beforeEach(async () => {
  server = await FakeApiServer.start({ resources: [widgets] });
  client = server.client({ retries: 0 });
});
afterEach(async () => {
  await client.close();
  await server.stop();
});
const problemOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

describe("a client", () => {
  test("creates, gets, replaces and deletes", async () => {
    const created = await client.create(configMaps, configMap());
    expect(await client.get(configMaps, key)).toEqual(created);
    const replaced = await client.replace(configMaps, { ...created, data: { x: "2" } });
    expect(replaced.metadata.resourceVersion).not.toBe(created.metadata.resourceVersion);
    await client.delete(configMaps, key);
    expect(await client.find(configMaps, key)).toBeUndefined();
  });

  test("tells refusals apart", async () => {
    expect(isNotFound(await problemOf(client.get(configMaps, key)))).toBe(true);
    const created = await client.create(configMaps, configMap());
    expect(isAlreadyExists(await problemOf(client.create(configMaps, configMap())))).toBe(true);
    await client.replace(configMaps, { ...created, data: {} });
    const stale = await problemOf(client.replace(configMaps, created));
    expect([isConflict(stale), isAlreadyExists(stale)]).toEqual([true, false]);
    expect(isConflict(await problemOf(client.delete(configMaps, key, { uid: "another" })))).toBe(true);
    expect(isInvalid(await problemOf(client.patch(configMaps, key, [{ op: "test", path: "/data/x", value: "9" }])))).toBe(true);
  });

  test("patches: a list is a JSON patch, an object a merge patch", async () => {
    await client.create(configMaps, configMap());
    await client.patch(configMaps, key, { data: { y: "2", x: null } });
    await client.patch(configMaps, key, [{ op: "add", path: "/data/z", value: "3" }]);
    expect(server.find(configMaps, key)?.data).toEqual({ y: "2", z: "3" });
  });

  test("applies without force only what nobody else has", async () => {
    await client.apply(configMaps, configMap("a", { x: "1" }), { fieldManager: "one" });
    const conflict = await problemOf(client.apply(configMaps, configMap("a", { x: "2" }), { fieldManager: "two", force: false }));
    expect(isConflict(conflict)).toBe(true);
    expect((conflict as Error).message).toContain('conflict with "one": .data.x');
    await client.apply(configMaps, configMap("a", { x: "2" }), { fieldManager: "two" });
    expect(server.find(configMaps, key)?.data).toEqual({ x: "2" });
  });

  test("writes status through its own door, and nothing else through it", async () => {
    const widget = { apiVersion: "example.dev/v1", kind: "Widget", metadata: key, spec: { size: 1 }, status: { ignored: true } };
    const created = await client.create(widgets, widget);
    expect(created.status).toBeUndefined();
    await client.status.replace(widgets, { ...created, spec: { size: 9 }, status: { a: 1 } });
    await client.status.patch(widgets, key, { status: { b: 2 } });
    await client.status.apply(widgets, { ...widget, status: { c: 3 } }, { fieldManager: "m" });
    expect(server.find(widgets, key)).toMatchObject({ spec: { size: 1 }, status: { a: 1, b: 2, c: 3 }, metadata: { generation: 1 } });
  });

  test("lists page by page, by namespace and by label", async () => {
    for (const name of ["a", "b", "c"]) server.put(configMaps, configMap(name, {}, { odd: name === "b" ? "no" : "yes" }));
    const first = await client.list(configMaps, { limit: 2 });
    expect([first.items.length, first.metadata.continue]).toEqual([2, expect.any(String)]);
    const all = await client.listAll(configMaps, { limit: 1, labelSelector: { odd: "yes" } });
    expect(all.items.map(({ metadata }) => metadata.name)).toEqual(["a", "c"]);
    expect((await client.listAll(configMaps, { namespace: "other" })).items).toEqual([]);
  });

  test("watches from a version on; an in-stream error is thrown", async () => {
    const { metadata } = server.put(configMaps, configMap());
    const heard: string[] = [];
    const watching = (async () => {
      for await (const { type, object } of client.watch(configMaps, { resourceVersion: metadata.resourceVersion! })) {
        heard.push(`${type} ${object.metadata.name ?? ""}`.trim());
      }
    })();
    const problem = problemOf(watching);
    await eventually(() => server.watches === 1);
    server.put(configMaps, configMap("b"));
    server.delete(configMaps, key);
    server.bookmark();
    await eventually(() => heard.length === 3);
    expect(heard).toEqual(["ADDED b", "DELETED a", "BOOKMARK"]);
    server.failWatches(410, "Expired");
    expect(isGone(await problem)).toBe(true);
  });

  test("finds the resource of a manifest: known ones at once, others by asking, once", async () => {
    expect(client.resources.of({ apiVersion: "batch/v1", kind: "Job" })).toMatchObject({ plural: jobs.plural });
    const [one, two] = await Promise.all([1, 2].map(() => client.resources.of({ apiVersion: "example.dev/v1", kind: "Widget" })));
    expect(one).toEqual(two);
    expect(one).toMatchObject({ group: "example.dev", version: "v1", plural: "widgets", namespaced: true });
    await client.resources.of({ apiVersion: "example.dev/v1", kind: "Widget" });
    expect(server.requests).toHaveLength(1);
    const missing = await problemOf(Promise.resolve(client.resources.of({ apiVersion: "example.dev/v1", kind: "Gadget" })));
    expect((missing as Error).message).toBe("the server has no kind Gadget in example.dev/v1; install its CustomResourceDefinition");
  });
});

test("paths are those of the API", () => {
  expect(pathOf(pods, { namespace: "n", name: "p", subresource: "log" })).toBe("/api/v1/namespaces/n/pods/p/log");
  expect(pathOf(nodes, { namespace: "n", name: "x" })).toBe("/api/v1/nodes/x");
  expect(pathOf(jobs)).toBe("/apis/batch/v1/jobs");
});

test("selectors are written as the API reads them", () => {
  expect(selectorText({ a: "1", b: "2" })).toBe("a=1,b=2");
  expect(selectorText("a in (1,2)")).toBe("a in (1,2)");
  expect(selectorText({})).toBeUndefined();
});

test("an answer that is no Status still says what came", () => {
  const error = ApiError.fromBody(502, "<html>Bad Gateway</html>", { request: "GET /x" });
  expect(error).toMatchObject({ status: 502, reason: "", message: "GET /x answered 502: <html>Bad Gateway</html>" });
});
