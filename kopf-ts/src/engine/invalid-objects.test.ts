import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import type { DynamicObject } from "../api/object.ts";
import { events, resource } from "../api/resource.ts";
import { silentLogger } from "../core/logger.ts";
import { Operator } from "../handlers/index.ts";
import { conditionsOf, getCondition } from "../outcome/conditions.ts";
import { ready } from "../outcome/outcome.ts";
import { eventually, FakeApiServer } from "../testing/index.ts";
import { Manager } from "./manager.ts";

const widgets = resource({
  group: "example.dev",
  version: "v1",
  kind: "Widget",
  plural: "widgets",
  schema: z.object({ spec: z.object({ size: z.number() }) }),
});
const key = { namespace: "shop", name: "a" };
const widget = (size: unknown, metadata: object = {}): DynamicObject => ({
  apiVersion: "example.dev/v1",
  kind: "Widget",
  metadata: { ...key, ...metadata },
  spec: { size },
});

let server: FakeApiServer;
let stops: (() => Promise<unknown>)[];
beforeEach(async () => {
  server = await FakeApiServer.start({ resources: [widgets] });
  stops = [];
});
afterEach(async () => {
  for (const stop of stops) await stop();
  await server.stop();
});

const current = () => server.find(widgets, key) as DynamicObject | undefined;
const said = () => conditionsOf(current() ?? {}).map(({ type, status, reason }) => `${type}=${status} ${reason}`);
const told = () => server.all(events).filter(({ reason }) => reason === "InvalidObject");
/** As written by another client: past the schema of this program. */
const edit = (size: unknown) => server.put(widgets, { ...current(), spec: { size } } as DynamicObject);

describe("an object that stops fitting its schema", () => {
  test("says so in conditions, an Event and a metric, is not reconciled, and is ready again once it fits", async () => {
    const manager = new Manager({ client: server.client(), logger: silentLogger, freeze: "deep" });
    stops.push(() => manager.stop());
    const passes: number[] = [];
    manager
      .controller("widget")
      .for(widgets)
      .complete(({ spec }) => {
        passes.push(spec.size);
        return ready({ size: spec.size });
      });
    server.put(widgets, widget(1));
    await manager.start();
    await eventually(() => said().join() === "Ready=True Ready" && server.watches > 0);
    edit("large");
    await eventually(() => said().includes("Ready=False InvalidObject"));
    expect(said()).toEqual(["Ready=False InvalidObject", "Stalled=True InvalidObject"]);
    expect(getCondition(current()!, "Stalled")?.message).toContain("Widget shop/a is not what its schema says");
    expect(current()?.status).toMatchObject({ size: 1 });
    await eventually(() => told().length === 1);
    expect(await manager.metrics.text()).toContain('kopf_cache_invalid_objects{resource="widgets.example.dev"} 1');
    const before = passes.length;
    server.put(widgets, { ...current()!, metadata: { ...current()!.metadata, labels: { touched: "yes" } } });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect([passes.length, told()[0]?.series]).toEqual([before, undefined]);
    edit(3);
    await eventually(() => said().join() === "Ready=True Ready");
    expect([passes.at(-1), told().length]).toEqual([3, 1]);
    expect(await manager.metrics.text()).toContain('kopf_cache_invalid_objects{resource="widgets.example.dev"} 0');
  });

  test("stays known: no handler hears of a deletion, its daemon runs on, and its real deletion works", async () => {
    const operator = new Operator({ client: server.client(), logger: silentLogger, freeze: "deep" });
    stops.push(() => operator.stop());
    const heard: string[] = [];
    operator.on.event(widgets, ({ type, spec }) => void heard.push(`${type} ${spec.size}`));
    operator.on.update(widgets, ({ spec }) => void heard.push(`update ${spec.size}`));
    operator.on.delete(widgets, ({ spec }) => void heard.push(`delete ${spec.size}`));
    operator.daemon(widgets, async ({ signal }) => {
      heard.push("daemon begins");
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      heard.push("daemon ends");
    });
    server.put(widgets, widget(1));
    await operator.start();
    await eventually(() => heard.includes("daemon begins") && server.watches > 0);
    edit("large");
    await eventually(() => told().length === 1);
    server.resetWatches();
    server.compact();
    await eventually(
      () => server.requests.filter(({ method, path, watch }) => method === "GET" && path.endsWith("/widgets") && !watch).length > 1,
    );
    expect(heard.filter((one) => /DELETED|daemon ends|update|large/.test(one))).toEqual([]);
    server.delete(widgets, key);
    await eventually(() => current() === undefined && heard.some((one) => one.startsWith("DELETED")));
    expect(heard.filter((one) => /delete|DELETED|ends/.test(one)).toSorted()).toEqual(["DELETED 1", "daemon ends", "delete 1"]);
  });

  test("of which this process knows no fitting state goes too: its finalizer is handled", async () => {
    const operator = new Operator({ client: server.client(), logger: silentLogger, freeze: "deep" });
    stops.push(() => operator.stop());
    const deleted: unknown[] = [];
    operator.on.delete(widgets, ({ spec }) => void deleted.push(spec.size));
    server.put(widgets, widget("large", { finalizers: ["kopf-ts.dev/handlers"] }));
    server.delete(widgets, key);
    await operator.start();
    await eventually(() => current() === undefined);
    expect(deleted).toEqual(["large"]);
  });

  test("whose namesake takes its place is gone", async () => {
    const manager = new Manager({ client: server.client(), logger: silentLogger, freeze: "deep" });
    stops.push(() => manager.stop());
    const changes: string[] = [];
    manager.cache(widgets).onChange(({ type, object }) => void changes.push(`${type} ${object.spec.size}`));
    server.put(widgets, widget(1));
    await manager.start();
    await eventually(() => server.watches === 1);
    server.muteWatches();
    server.delete(widgets, key);
    server.put(widgets, widget("large"));
    server.compact();
    server.resetWatches();
    await eventually(() => changes.length === 2);
    expect(changes).toEqual(["added 1", "deleted 1"]);
  });
});
