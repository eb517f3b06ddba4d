import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeApiServer } from "../testing/index.ts";
import { isConflict } from "./api-error.ts";
import type { Client } from "./client.ts";
import { mergePatch } from "./merge-patch.ts";
import { mergeDiff } from "./modify.ts";
import { configMaps, resource } from "./resource.ts";

const key = { namespace: "shop", name: "a" };
const widgets = resource({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });
let server: FakeApiServer;
let client: Client;
beforeEach(async () => {
  server = await FakeApiServer.start({ resources: [widgets] });
  client = server.client({ retries: 0 });
  server.put(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: key, data: { count: "1", other: "x" } });
});
afterEach(async () => {
  await client.close();
  await server.stop();
});
const data = () => server.find(configMaps, key)?.data;
const patches = () => server.requests.filter(({ method }) => method === "PATCH");

describe("modify", () => {
  test("sends only what differs", async () => {
    const { data: after } = await client.modify(configMaps, key, (draft) => {
      draft.data.count = "2";
      delete draft.data.other;
    });
    expect(after).toEqual({ count: "2" });
    expect(JSON.parse(patches()[0]!.body)).toMatchObject({ data: { count: "2", other: null } });
  });

  test("starts over when somebody else wrote first, and undoes nothing of theirs", async () => {
    let calls = 0;
    await client.modify(configMaps, key, (draft) => {
      calls += 1;
      if (calls === 1) server.put(configMaps, { ...server.find(configMaps, key)!, data: { count: "10", theirs: "y" } });
      draft.data.count = String(Number(draft.data.count) + 1);
    });
    expect([calls, data()]).toEqual([2, { count: "11", theirs: "y" }]);
  });

  test("gives up after five lost races, saying so", async () => {
    let calls = 0;
    const modified = client.modify(configMaps, key, (draft) => {
      calls += 1;
      server.put(configMaps, { ...server.find(configMaps, key)!, data: { count: String(calls) } });
      draft.data.count = "mine";
    });
    expect(isConflict(await modified.catch((error: unknown) => error))).toBe(true);
    expect(calls).toBe(5);
  });

  test("writes nothing where nothing differs", async () => {
    await client.modify(configMaps, key, () => {});
    expect(patches()).toEqual([]);
  });

  test("changes a status through its own door", async () => {
    server.put(widgets, { apiVersion: "example.dev/v1", kind: "Widget", metadata: key, spec: { size: 1 }, status: { seen: 1 } });
    await client.status.modify(widgets, key, (draft) => {
      draft.status.seen += 1;
      draft.spec.size = 9;
    });
    expect(server.find(widgets, key)).toMatchObject({ spec: { size: 1 }, status: { seen: 2 } });
  });
});

test("a merge diff, merged in, gives the new state", () => {
  const old = { a: 1, b: { c: [1], d: 1 }, e: { f: 1 } };
  const now = { b: { c: [2], d: 1 }, e: "flat", g: {} };
  const patch = mergeDiff(old, now);
  expect(patch).toEqual({ a: null, b: { c: [2] }, e: "flat", g: {} });
  expect(mergePatch(old, patch)).toEqual(now);
  expect(mergeDiff(old, structuredClone(old))).toBeUndefined();
});

describe("a dry run", () => {
  test("answers as if, and keeps nothing", async () => {
    const made = await client.create(
      configMaps,
      { apiVersion: "v1", kind: "ConfigMap", metadata: { ...key, name: "b" } },
      { dryRun: true },
    );
    expect(made.metadata.uid).toBeDefined();
    const patched = await client.patch(configMaps, key, { data: { count: "5" } }, { dryRun: true });
    expect(patched.data.count).toBe("5");
    const manifest = { apiVersion: "v1", kind: "ConfigMap", metadata: key, data: { count: "6" } };
    expect((await client.apply(configMaps, manifest, { fieldManager: "m", dryRun: true })).data.count).toBe("6");
    expect((await client.replace(configMaps, { ...patched, data: {} }, { dryRun: true }).catch(isConflict)) as unknown).toBe(true);
    await client.delete(configMaps, key, { dryRun: true });
    expect(server.all(configMaps).map(({ metadata, data: kept }) => [metadata.name, kept])).toEqual([["a", { count: "1", other: "x" }]]);
  });
});
