import { configMaps } from "kopf-ts";
import { withCluster } from "kopf-ts/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { definition, installPacked, type Packed, sample, until, widgets, withProgram } from "./packed.ts";

let packed: Packed;
beforeAll(async () => {
  packed = await installPacked();
}, 600_000);
afterAll(() => packed.remove());

test("the packed package runs the README's example on a cluster", async () => {
  await withCluster({ crds: [definition] }, async ({ client, namespace }) => {
    const key = { namespace, name: "a" };
    await client.create(widgets, { ...sample, metadata: { ...sample.metadata, ...key } });
    await withProgram(packed.project, process.env.KUBECONFIG ?? "", () =>
      until(async () => (await client.get(widgets, key)).status?.size === 3),
    );
    expect((await client.get(configMaps, { namespace, name: "a-size" })).data).toEqual({ size: "3" });
  });
}, 60_000);
