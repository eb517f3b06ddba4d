import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { resource } from "../api/resource.ts";
import { silentLogger } from "../core/logger.ts";
import { eventually, FakeApiServer, VirtualClock } from "../testing/index.ts";
import { Operator } from "./operator.ts";

const schema = z.object({
  spec: z.object({ size: z.number().default(1), since: z.iso.datetime().transform((text) => new Date(text)) }),
});
const widgets = resource({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets", schema });
const key = { namespace: "shop", name: "a" };

let server: FakeApiServer;
let operator: Operator;
beforeEach(async () => {
  server = await FakeApiServer.start({ resources: [widgets] });
  const clock = new VirtualClock();
  operator = new Operator({ client: server.client({ clock, retries: 0 }), clock, logger: silentLogger });
});
afterEach(async () => {
  await operator.stop();
  await server.stop();
});

test("handlers of a kind whose schema fills in and transforms fields are not called for their own writes", async () => {
  const sizes: number[] = [];
  operator.on.create(widgets, ({ patch }) => {
    patch.metadata.labels.seen = "yes";
  });
  operator.on.update(widgets, ({ spec }) => void sizes.push(spec.size));
  const spec = { since: "2026-01-01T00:00:00Z" };
  server.put(widgets, { apiVersion: "example.dev/v1", kind: "Widget", metadata: key, spec } as never);
  await operator.start();
  await eventually(() => server.find(widgets, key)?.metadata.labels?.seen === "yes" && server.watches > 0);
  const handled = () => server.find(widgets, key)?.metadata.annotations?.["kopf-ts.dev/last-handled"];
  await eventually(() => handled() !== undefined);
  expect(JSON.parse(handled() ?? "")).toMatchObject({ metadata: { labels: { seen: "yes" } }, spec: { size: 1 } });
  const found = server.find(widgets, key);
  server.put(widgets, { ...found, spec: { ...found?.spec, size: 2 } } as never);
  await eventually(() => sizes.length > 0);
  expect(sizes).toEqual([2]);
});
