import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { configMaps, resource } from "../api/resource.ts";
import { Informer } from "../cache/cache.ts";
import { silentLogger } from "../core/logger.ts";
import { eventually, FakeApiServer, OperatorRunner, VirtualClock } from "./index.ts";

const widgets = resource({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });
const key = { namespace: "shop", name: "a" };
const widget = { apiVersion: "example.dev/v1", kind: "Widget", metadata: key, spec: { size: 1 } };

describe("an operator runner", () => {
  test("runs an operator against a server of its own, and stops both", async () => {
    let url = "";
    {
      await using runner = await OperatorRunner.start((operator) => {
        operator.on.create(widgets, ({ logger, patch }) => {
          logger.info("made it");
          patch.status.phase = "made";
        });
      });
      url = runner.server?.url ?? "";
      await runner.client.create(widgets, widget);
      const phase = await runner.until(async () => (await runner.client.get(widgets, key)).status?.phase);
      expect(phase).toBe("made");
      expect(runner.log.find(({ message }) => message === "made it")).toMatchObject({ level: "info", object: "shop/a", handler: "create" });
    }
    await expect(fetch(url)).rejects.toThrow();
  });

  test("leaves a server that it was given, and says why an operator cannot start", async () => {
    const server = await FakeApiServer.start();
    const starting = OperatorRunner.start(
      (operator) =>
        operator.on.startup(() => {
          throw new Error("no licence");
        }),
      { server },
    );
    await expect(starting).rejects.toThrow("no licence");
    await eventually(() => server.connections === 0);
    expect((await fetch(`${server.url}/apis`)).status).toBe(200);
    await server.stop();
  });

  test("says what was thrown last where a wish does not come true", async () => {
    await using runner = await OperatorRunner.start(() => {});
    const problem = await runner.until(() => runner.client.get(widgets, key), 0.05).catch((error: unknown) => error as Error);
    expect(String(problem)).toContain("within 0.05 s");
    expect(String((problem as Error).cause)).toContain("404");
  });
});

describe("faults of the fake server", () => {
  let server: FakeApiServer;
  beforeEach(async () => {
    server = await FakeApiServer.start();
    for (const name of ["a", "b", "c"])
      server.put(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "shop", name } });
  });
  afterEach(() => server.stop());

  test("an answer that breaks off in its middle is a lost connection: reads are repeated, writes are not", async () => {
    const client = server.client({ random: () => 0 });
    server.inject({ action: { do: "cut" } });
    expect((await client.list(configMaps)).items).toHaveLength(3);
    server.inject({ action: { do: "cut" } });
    await expect(client.patch(configMaps, key, { data: { x: "1" } })).rejects.toThrow("PATCH");
    expect(server.find(configMaps, key)?.data).toEqual({ x: "1" });
    await client.close();
  });

  test("page tokens expire without loss of history", async () => {
    const client = server.client({ retries: 0 });
    const first = await client.list(configMaps, { limit: 2 });
    server.expirePages();
    const next = client.list(configMaps, { limit: 2, continue: first.metadata.continue ?? "" });
    await expect(next).rejects.toMatchObject({ status: 410 });
    await client.close();
  });

  test.each([1, 7, 100])("events in pieces of %i bytes arrive whole", async (bytes) => {
    const clock = new VirtualClock();
    const client = server.client({ clock });
    const informer = new Informer({ client, resource: configMaps, clock, logger: silentLogger, freeze: "deep" });
    const abort = new AbortController();
    const running = informer.run(abort.signal);
    await eventually(() => server.watches === 1);
    server.splitEvents(bytes);
    server.put(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: key, data: { text: "grün und größer ✓" } });
    await eventually(() => informer.get(key)?.data?.text === "grün und größer ✓");
    abort.abort();
    await running;
    await client.close();
  });
});
