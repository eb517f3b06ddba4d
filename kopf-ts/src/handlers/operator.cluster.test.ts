import { describe, expect, test } from "vitest";
import type { DynamicObject } from "../api/object.ts";
import { endsInitialEvents } from "../api/requests.ts";
import { configMaps, resource } from "../api/resource.ts";
import { tableText } from "../api/table.ts";
import { isTrue } from "../outcome/conditions.ts";
import { ready } from "../outcome/outcome.ts";
import { OperatorRunner, withCluster } from "../testing/index.ts";
import { TemporaryError } from "./errors.ts";

/**
 * What only a real API server can show of the client's further verbs and of handlers. Runs with `RUNE_TEST_CLUSTER=1`.
 */
const group = "handlers.kopf-ts.dev";
const gadgets = resource({ group, version: "v1", kind: "Gadget", plural: "gadgets" });
const definition: DynamicObject = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `gadgets.${group}` },
  spec: {
    group,
    scope: "Namespaced",
    names: { kind: "Gadget", plural: "gadgets", shortNames: ["gdg"] },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
        additionalPrinterColumns: [{ name: "Size", type: "integer", jsonPath: ".spec.size" }],
      },
    ],
  },
};

describe("on a real API server", () => {
  test("handlers create, update, tick, serve and delete; their own patches call none again; discovery and tables know the kind", async () => {
    await withCluster({ crds: [definition] }, async ({ client, namespace, newClient }) => {
      const calls: string[] = [];
      const define: Parameters<typeof OperatorRunner.start>[0] = (operator) => {
        operator.on.create(gadgets, { id: "make" }, ({ patch, retry, namespace: where }) => {
          calls.push(`create ${retry}`);
          if (retry === 0) throw new TemporaryError("not yet", { delay: 0.2 });
          patch.metadata.labels.made = "yes";
          patch.status.in = where;
        });
        operator.on.update(gadgets, ({ diff }) => void calls.push(`update ${diff.map(({ path }) => path.join(".")).join()}`));
        operator.on.delete(gadgets, ({ name }) => void calls.push(`delete ${name}`));
        operator.timer(gadgets, { id: "ticks", interval: 0.2, labels: { made: true } }, ({ memo }) => {
          memo.ticks = (memo.ticks ?? 0) + 1;
          return memo.ticks;
        });
        operator.daemon(gadgets, async (ctx) => {
          await new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve()));
          calls.push(`daemon ends at ${ctx.body.metadata.deletionTimestamp ? "deletion" : "life"}`);
        });
      };
      await using runner = await OperatorRunner.start(define, { newClient, namespaces: [namespace] });
      const key = { namespace, name: "a" };
      await client.create(gadgets, { apiVersion: `${group}/v1`, kind: "Gadget", metadata: key, spec: { size: 1 } });
      await runner.until(async () => (await client.get(gadgets, key)).status?.ticks >= 2);
      expect(await client.get(gadgets, key)).toMatchObject({ metadata: { labels: { made: "yes" } }, status: { in: namespace } });
      await client.modify(gadgets, key, (draft) => {
        draft.spec.size = 2;
      });
      await runner.until(() => calls.includes("update spec.size"));
      expect(await client.resources.find("gdg")).toMatchObject({ plural: "gadgets", subresources: ["status"] });
      expect(tableText(await client.table(gadgets, { namespace }))).toMatch(/^NAME +SIZE\na +2$/);
      await client.delete(gadgets, key);
      await runner.until(async () => (await client.find(gadgets, key)) === undefined);
      expect(calls).toEqual(["create 0", "create 1", "update spec.size", "daemon ends at deletion", "delete a"].sort(byAppearance(calls)));
      expect(calls).toHaveLength(5);
    });
  });

  test("a cache is filled by WatchList, and another by metadata alone", async () => {
    await withCluster({}, async ({ client, namespace, newClient }) => {
      const configMap = (name: string) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { namespace, name }, data: { large: "x" } });
      await client.create(configMaps, configMap("a"));
      const requests: string[] = [];
      const define: Parameters<typeof OperatorRunner.start>[0] = (operator) =>
        operator.define((manager) => {
          manager.client.transport.observe(({ method, code }) => requests.push(`${method} ${code}`));
          manager.cache(configMaps, { metadataOnly: true });
          manager.cache(configMaps);
        });
      await using runner = await OperatorRunner.start(define, { newClient, namespaces: [namespace], watchList: true });
      const { manager } = runner.operator;
      await client.create(configMaps, configMap("b"));
      await runner.until(() => manager.cache(configMaps).get({ namespace, name: "b" }));
      await runner.until(() => manager.cache(configMaps, { metadataOnly: true }).get({ namespace, name: "b" }));
      for (const name of ["a", "b"]) {
        expect(manager.cache(configMaps).get({ namespace, name })?.data).toEqual({ large: "x" });
        const partial = manager.cache(configMaps, { metadataOnly: true }).get({ namespace, name });
        expect(partial).toMatchObject({ apiVersion: "v1", kind: "ConfigMap", metadata: { name } });
        expect(partial?.data).toBeUndefined();
      }
      let marked = false;
      for await (const event of client.watch(configMaps, { namespace, sendInitialEvents: true })) {
        marked = event.type === "BOOKMARK" && endsInitialEvents(event.object);
        if (marked) break;
      }
      expect(marked).toBe(true);
      expect(requests.filter((one) => one !== "GET 200")).toEqual([]);
    });
  });

  test("a dry run keeps nothing, and taken-over fields are removed by the next apply that does not name them", async () => {
    await withCluster(process.env.KUBECONFIG as string, async ({ client, namespace }) => {
      const key = { namespace, name: "a" };
      const manifest = (data: Record<string, string>) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: key, data });
      await client.create(configMaps, manifest({ x: "1" }), { dryRun: true });
      expect(await client.find(configMaps, key)).toBeUndefined();
      await client.create(configMaps, manifest({ x: "1", y: "1" }), { fieldManager: "before" });
      await client.migrateFieldManager(configMaps, key, { from: ["before"], to: "after" });
      await client.apply(configMaps, manifest({ x: "2" }), { fieldManager: "after" });
      expect((await client.get(configMaps, key)).data).toEqual({ x: "2" });
    });
  });

  test("handlers and a reconciler share one object without a fight", async () => {
    await withCluster({ crds: [definition] }, async ({ client, namespace, newClient }) => {
      let passes = 0;
      const define: Parameters<typeof OperatorRunner.start>[0] = (operator) => {
        operator.on.create(gadgets, () => "made");
        operator.define((manager) => {
          manager
            .controller("gadget")
            .for(gadgets)
            .complete(() => {
              passes += 1;
              return ready();
            });
        });
      };
      await using runner = await OperatorRunner.start(define, { newClient, namespaces: [namespace] });
      const key = { namespace, name: "shared" };
      await client.create(gadgets, { apiVersion: `${group}/v1`, kind: "Gadget", metadata: key, spec: {} });
      await runner.until(async () => {
        const object = await client.get(gadgets, key);
        return object.status?.create === "made" && isTrue(object, "Ready");
      });
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(passes).toBeLessThan(8);
    });
  });
});

/** Ends that may come in any order are compared in the order in which they came. */
function byAppearance(calls: readonly string[]) {
  return (a: string, b: string) => calls.indexOf(a) - calls.indexOf(b);
}
