import { configMaps, type DynamicObject } from "kopf-ts";
import { withCluster } from "kopf-ts/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { installPacked, type Packed, until, widgets, withProgram } from "./packed.ts";

let packed: Packed;
beforeAll(async () => {
  packed = await installPacked();
}, 180_000);
afterAll(() => packed.remove());

test("the packed package runs the README's example on a cluster", async () => {
  await withCluster({ crds: [definition] }, async ({ client, namespace }) => {
    const key = { namespace, name: "a" };
    await client.create(widgets, { apiVersion: "example.dev/v1", kind: "Widget", metadata: key, spec: { size: 3 } });
    await withProgram(packed.project, process.env.KUBECONFIG ?? "", () =>
      until(async () => (await client.get(widgets, key)).status?.size === 3),
    );
    expect((await client.get(configMaps, { namespace, name: "a-size" })).data).toEqual({ size: "3" });
  });
}, 60_000);

const definition: DynamicObject = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "widgets.example.dev" },
  spec: {
    group: "example.dev",
    scope: "Namespaced",
    names: { kind: "Widget", plural: "widgets" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
};
