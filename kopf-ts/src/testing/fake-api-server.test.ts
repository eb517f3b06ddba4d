import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Client } from "../api/client.ts";
import { configMaps, resource } from "../api/resource.ts";
import { FakeApiServer } from "./fake-api-server.ts";

const widgets = resource({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });
const widget = (metadata: object = {}) => ({
  apiVersion: "example.dev/v1",
  kind: "Widget",
  metadata: { namespace: "shop", name: "a", ...metadata },
  spec: { size: 1 },
});

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

describe("as the real API server, the fake one", () => {
  test("keeps the pages of lists of one kind apart", async () => {
    for (const namespace of ["shop", "bank"]) {
      for (const name of ["a", "b"]) server.put(widgets, widget({ namespace, name }));
    }
    const [shop, bank] = [
      await client.list(widgets, { namespace: "shop", limit: 1 }),
      await client.list(widgets, { namespace: "bank", limit: 1 }),
    ];
    for (const [namespace, page] of Object.entries({ shop, bank })) {
      const next = await client.list(widgets, { namespace, limit: 1, continue: page.metadata.continue });
      expect(next.items[0]?.metadata).toMatchObject({ namespace, name: "b" });
    }
  });

  test("refuses to replace a custom object, or its status, without a resource version; a built-in one may be", async () => {
    server.put(widgets, widget());
    const refused = { status: 422, message: expect.stringContaining("must be specified for an update") };
    await expect(client.replace(widgets, widget())).rejects.toMatchObject(refused);
    await expect(client.status.replace(widgets, { ...widget(), status: {} })).rejects.toMatchObject(refused);
    const map = server.put(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "shop", name: "c" } });
    const { resourceVersion: _version, ...metadata } = map.metadata;
    expect(await client.replace(configMaps, { ...map, metadata, data: { x: "1" } })).toMatchObject({ data: { x: "1" } });
  });

  test("replaces the object that the path names, and refuses one of another name", async () => {
    server.put(widgets, widget());
    server.put(widgets, widget({ name: "b" }));
    const put = client.request({
      method: "PUT",
      path: "/apis/example.dev/v1/namespaces/shop/widgets/a",
      body: JSON.stringify(server.find(widgets, { namespace: "shop", name: "b" })),
    });
    await expect(put).rejects.toMatchObject({ status: 400, message: expect.stringContaining("does not match the name on the URL") });
  });

  test("lets no finalizer be added to an object that is being deleted; those there may go", async () => {
    const { metadata } = server.put(widgets, widget({ finalizers: ["example.dev/one", "example.dev/two"] }));
    server.delete(widgets, metadata);
    const finalizers = (...names: string[]) => client.patch(widgets, metadata, { metadata: { finalizers: names } });
    await expect(finalizers("example.dev/one", "example.dev/three")).rejects.toMatchObject({ status: 422, reason: "Invalid" });
    await finalizers("example.dev/one");
    await finalizers();
    expect(server.find(widgets, metadata)).toBeUndefined();
  });
});
