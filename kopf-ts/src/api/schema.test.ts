import { afterEach, beforeEach, describe, expect, expectTypeOf, test } from "vitest";
import { z } from "zod";
import { silentLogger } from "../core/logger.ts";
import { Manager } from "../engine/manager.ts";
import { ready, unchanged } from "../outcome/outcome.ts";
import { eventually, FakeApiServer } from "../testing/index.ts";
import type { Client } from "./client.ts";
import { configMaps, pods, resource } from "./resource.ts";
import { InvalidObjectError } from "./schema.ts";
import { tableText } from "./table.ts";

const widgets = resource({
  group: "example.dev",
  version: "v1",
  kind: "Widget",
  plural: "widgets",
  schema: z.object({ spec: z.object({ size: z.number(), colour: z.string().default("grey") }) }),
});
const widget = (name: string, spec: object) => ({
  apiVersion: "example.dev/v1",
  kind: "Widget",
  metadata: { namespace: "shop", name, labels: { kept: "yes" } },
  spec,
  extra: "kept",
});
const key = (name: string) => ({ namespace: "shop", name });

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

describe("a resource with a schema", () => {
  test("types its objects and parses what is read, defaults included; metadata stays as the server sent it", async () => {
    server.put(widgets, widget("a", { size: 1, unknown: true }));
    const read = await client.get(widgets, key("a"));
    expectTypeOf(read.spec).toEqualTypeOf<{ size: number; colour: string }>();
    expect(read).toMatchObject({ spec: { size: 1, colour: "grey" }, extra: "kept", metadata: { labels: { kept: "yes" } } });
    expect(read.spec).not.toHaveProperty("unknown");
    expect((await client.list(widgets)).items[0]?.spec.colour).toBe("grey");
  });

  test("refuses an object that is not as it says, naming it", async () => {
    server.put(widgets, widget("a", { size: "large" }));
    const problem = await client.get(widgets, key("a")).catch((error: unknown) => error);
    expect(problem).toBeInstanceOf(InvalidObjectError);
    expect((problem as Error).message).toContain("Widget shop/a is not what its schema says");
  });

  test("keeps such an object out of the cache, and lets it in when it is put right; what once fitted stays in its last fitting state", async () => {
    server.put(widgets, widget("good", { size: 1 }));
    server.put(widgets, widget("bad", { size: "large" }));
    const errors: string[] = [];
    const logger = {
      ...silentLogger,
      child: () => logger,
      error: (_m: string, f?: object) => void errors.push(String((f as { error: Error }).error)),
    };
    const manager = new Manager({ client: server.client(), logger, freeze: "deep" });
    const passes: string[] = [];
    manager
      .controller("widget")
      .for(widgets)
      .complete(({ metadata, spec }) => {
        passes.push(`${metadata.name} ${spec.colour}`);
        return unchanged();
      });
    await manager.start();
    await eventually(() => passes.length === 1 && server.watches === 1);
    expect(errors[0]).toContain("Widget shop/bad is not what its schema says");
    server.put(widgets, widget("bad", { size: 2 }));
    await eventually(() => passes.length === 2);
    server.put(widgets, widget("good", { size: "broken" }));
    await eventually(() => manager.cache(widgets).unfit(key("good")) !== undefined);
    expect(manager.cache(widgets).get(key("good"))?.spec).toEqual({ size: 1, colour: "grey" });
    expect(passes).toEqual(["good grey", "bad grey"]);
    await manager.stop();
  });
});

test("a schema that knows only some of status costs none of the rest when status is written", async () => {
  const counters = resource({
    group: "example.dev",
    version: "v1",
    kind: "Counter",
    plural: "counters",
    schema: z.object({
      status: z
        .object({ count: z.number(), parts: z.array(z.object({ name: z.string() })) })
        .partial()
        .optional(),
    }),
  });
  const other = await FakeApiServer.start({ resources: [counters] });
  const status = { parts: [{ name: "a", of: "another version" }], older: { deep: 1 }, conditions: [] };
  other.put(counters, { apiVersion: "example.dev/v1", kind: "Counter", metadata: key("a"), status });
  const manager = new Manager({ client: other.client(), logger: silentLogger, freeze: "deep" });
  let passes = 0;
  manager
    .controller("counter")
    .for(counters)
    .complete(() => {
      passes += 1;
      return ready({ count: 1 });
    });
  await manager.start();
  await eventually(() => passes > 1);
  const written = other.find(counters, key("a"));
  expect(written).toMatchObject({ status: { ...status, count: 1, conditions: [{ type: "Ready", status: "True" }] } });
  // What the framework itself wrote is recognised although the schema doesn't have it: nothing more is written.
  await manager.stop();
  expect(other.requests.filter(({ method }) => method === "PUT")).toHaveLength(1);
  await other.stop();
});

test("discovery lists what is served and finds a kind by any of its names", async () => {
  const all = await client.resources.list();
  expect(all.map(({ plural }) => plural)).toEqual(expect.arrayContaining(["pods", "deployments", "widgets"]));
  expect(await client.resources.find("Widget")).toMatchObject({ group: "example.dev", version: "v1", plural: "widgets", namespaced: true });
  expect(await client.resources.find("deployments.apps")).toMatchObject({ kind: "Deployment" });
  expect(await client.resources.find("gadgets")).toBeUndefined();
});

test("a table is what kubectl would show", async () => {
  server.put(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: key("a-long-name") });
  const table = await client.table(configMaps, { namespace: "shop" });
  expect(tableText(table)).toBe("NAME\na-long-name");
  expect(tableText(table, { wide: true })).toMatch(/^NAME {10}CREATED AT\na-long-name {3}\d{4}-/);
  expect(tableText(await client.table(pods))).toBe("NAME");
});
