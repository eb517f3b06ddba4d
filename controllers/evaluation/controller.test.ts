import { ArtifactMissing, artifactDigest } from "@rune/clients/registry/registry";
import type { Evaluation } from "@rune/crds/kinds/evaluation";
import { resourceOf } from "@rune/crds/kinds/kind";
import { kinds } from "@rune/crds/kinds/kinds";
import { configMaps, type KubeObject, Manager, namespaces, pods, silentLogger } from "kopf-ts";
import { FakeApiServer, type SeenRequest, VirtualClock } from "kopf-ts/testing";
import { afterEach, beforeEach, expect, it } from "vitest";
import { adapters, evaluations, modelServers } from "../shared/resources.ts";
import type { Services } from "../shared/services.ts";
import { endEvaluator as endEvaluatorOf } from "../testing/evaluator.ts";
import { adapter, baseDigest, condition, config, digestOf, evaluation, modelServer } from "../testing/objects.ts";
import { register } from "./controller.ts";

/**
 * An evaluation with tasks of a ConfigMap and one adapter per task, on a fake API server: frozen inputs don't change.
 */

let api: FakeApiServer;
let clock: VirtualClock;
let manager: Manager;
let stored: Set<string>;

const key = (name: string) => ({ namespace: "default", name });
const found = (): Evaluation => {
  const object = api.find(evaluations, key("held-out"));
  if (!object) throw new Error("the evaluation is gone");
  return object;
};
const reasonOf = () => found().status?.conditions?.find(({ type }) => type === "Ready")?.reason;
const planOf = () => JSON.parse(api.find(configMaps, key("held-out-plan"))?.data["plan.json"] ?? "null");

const sandboxes = () => api.all(pods).map(({ metadata }) => metadata.name);

function unexpected(): never {
  throw new Error("no controller of this test should ask for this");
}

const registry = {
  manifest: async (repository: string, digest: string) => {
    if (!stored.has(`${repository}@${digest}`)) throw new ArtifactMissing("not there");
    return {};
  },
  push: async (input: Parameters<typeof artifactDigest>[0]) => {
    stored.add(`${input.repository}@${await artifactDigest(input)}`);
  },
};

async function startOperator(): Promise<void> {
  const services = {
    config,
    registry: () => registry,
    bundledTaskSet: unexpected,
    natsCredentials: unexpected,
    runnerToken: () => "token",
    logs: { readLog: async () => ({ records: [], lastSequence: 0 }), foldLog: async (_: string, { empty }: { empty: unknown }) => empty },
    onNotice: () => undefined,
    clusterDNS: "10.96.0.10",
  } as unknown as Services;
  clock = new VirtualClock("2026-03-01T00:00:00Z");
  manager = new Manager({ client: api.client(), clock, logger: silentLogger, freeze: "deep" });
  register(manager, services);
  await manager.start();
}

beforeEach(async () => {
  api = await FakeApiServer.start({ resources: kinds.map(resourceOf) });
  api.put(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
  stored = new Set();
  await startOperator();
});
afterEach(async () => {
  await manager.stop();
  await api.stop();
});

/** Advances the virtual clock until `holds`; only loopback requests take real time. */
async function until(what: string, holds: () => boolean): Promise<void> {
  for (let seconds = 0; seconds < 300; seconds++) {
    if (holds()) return;
    await clock.advance(1000);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  throw new Error(`${what} didn't come true within 300 seconds; Ready says ${reasonOf()}`);
}

const own = (name: string) => ({ project: "tessera", domain: name });
const names = ["a", "b", "c"];
const adapterFor = (name: string) => `${name}-1111111111111111`;
const putAdapter = (name: string) =>
  api.put(adapters, adapter(adapterFor(name), { spec: { scope: own(name) }, metadata: { labels: { by: "h" } } }));
const putServer = () =>
  api.put(
    modelServers,
    modelServer("coder", {
      spec: { adapters: { slots: 2, maxRank: 16 } },
      status: {
        baseDigest,
        conditions: [condition("Ready")],
        adapters: names.map((name) => ({ name: adapterFor(name), digest: digestOf("1"), state: "Loaded" as const, engines: 1 })),
      },
    }),
  );
const putTasks = (...of: string[]) => {
  const line = (name: string) =>
    JSON.stringify({ id: name, description: name, tests: "assert f() == 1", entryPoint: "f", scope: own(name) });
  const data = { "tasks.jsonl": of.map(line).join("\n") };
  api.put(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: key("tasks"), data } as KubeObject);
};
const putEvaluation = () =>
  api.put(
    evaluations,
    evaluation("held-out", {
      spec: {
        arms: [{ name: "each", serverRef: { name: "coder" }, adapters: { matchLabels: { by: "h" } } }],
        taskSet: { configMap: { name: "tasks" } },
        samples: 2,
      },
    }),
  );

const endEvaluator = (epoch: number, output: object) => endEvaluatorOf(api, found(), epoch, output);

it("waits in words for a ConfigMap, and goes on when it comes", async () => {
  putServer();
  for (const name of names) putAdapter(name);
  putEvaluation();
  await until("the missing ConfigMap is told", () => reasonOf() === "TaskSetMissing");
  putTasks("a", "b");
  await until("it has begun", () => found().status?.epoch === 1);
  const { taskSet, arms } = found().status ?? {};
  expect(stored).toEqual(new Set([`rune/default/tasks@${taskSet?.digest}`]));
  expect(taskSet).toMatchObject({ repository: "rune/default/tasks", tasks: 2, clusters: 2, scope: { project: "tessera" } });
  expect(arms).toEqual([{ name: "each", assigned: 2, unassigned: 0, completed: 0, total: 4 }]);
});

it("measures what it froze, batch by batch, whatever comes and goes", async () => {
  putServer();
  for (const name of names) putAdapter(name);
  putTasks("a", "b", "c");
  putEvaluation();
  await until("the first batch is claimed", () => found().status?.epoch === 1);
  const plan = planOf();
  const [first, second] = plan.arms[0].batches;
  expect(found().status?.activeAdapters).toEqual(first.adapters);
  expect([first.adapters.length, second.adapters.length]).toEqual([2, 1]);

  putTasks("b");
  putAdapter("d");
  await manager.stop();
  await startOperator();
  endEvaluator(1, { arms: [{ name: "each", completed: 4 }] });
  await until("the second batch is claimed", () => found().status?.epoch === 2);
  expect(found().status).toMatchObject({ activeAdapters: second.adapters, taskSet: { tasks: 3 }, arms: [{ completed: 4, total: 6 }] });
  expect(planOf()).toEqual(plan);

  const passAt1 = { estimate: 0.5, lower: 0.1, upper: 0.9 };
  const costs = { promptTokens: 60, completionTokens: 30, engineSeconds: 3, programs: 6 };
  const report = { repository: "rune/default/reports", digest: digestOf("e") };
  endEvaluator(2, { arms: [{ name: "each", completed: 6, passAt1, costs }], decided: true, report });
  await until("it has ended", () => reasonOf() === "Measured");
  expect(found().status).toMatchObject({ report, arms: [{ completed: 6, costs, passAt1: { estimate: "0.500" } }] });
  expect(found().status).not.toHaveProperty("activeAdapters");
});

it("says before it begins what it can show, by what equal arms varied by on the same tasks", async () => {
  putServer();
  putTasks("a", "b", "c");
  const arms = ["one", "other"].map((name) => ({ name, serverRef: { name: "coder" } }));
  const gate = { candidate: "one", baseline: "other" };
  const spec = { arms, gate, taskSet: { configMap: { name: "tasks" } } };
  const foretold = () => found().status?.conditions?.find(({ type }) => type === "PowerKnown");
  api.put(evaluations, evaluation("held-out", { spec }));
  await until("it has begun", () => found().status?.epoch === 1);
  expect(foretold()?.message).toContain("nothing is known of them");
  const { taskSet } = found().status ?? {};
  api.delete(evaluations, key("held-out"));
  const delta = { estimate: "0.0", lower: "-3.0", upper: "3.0" };
  api.put(evaluations, evaluation("equal", { spec, status: { conditions: [condition("Succeeded")], taskSet, delta } }));
  api.put(evaluations, evaluation("held-out", { spec, metadata: { uid: "uid-of-the-second" } }));
  await until("the second has begun", () => found().status?.epoch === 1);
  expect(foretold()?.message).toContain("as equal saw equal arms vary");
});

it("goes on with the same plan where the operator ended before it had told of it", async () => {
  putServer();
  for (const name of names) putAdapter(name);
  putTasks("a", "b", "c");
  const tellsOfIt = ({ method, path }: SeenRequest) => method !== "GET" && path.endsWith("/held-out/status") && planOf() !== null;
  api.inject({ match: tellsOfIt, times: Number.POSITIVE_INFINITY, action: { do: "refuse", status: 500 } });
  putEvaluation();
  await until("the plan is frozen", () => planOf() !== null);
  const plan = planOf();
  await manager.stop();
  putTasks("c");
  api.delete(adapters, key(adapterFor("c")));
  expect(found().status?.arms).toBeUndefined();
  api.clearFaults();
  await startOperator();
  await until("it has begun", () => found().status?.arms !== undefined);
  expect(planOf()).toEqual(plan);
  expect(found().status?.arms?.[0]).toMatchObject({ assigned: 3 });
});

it.each([1, 2, 3, 4, 5, 6, 7, 8])("loses and doubles nothing where the operator is lost with the answer to write %i", async (lost) => {
  putServer();
  for (const name of names) putAdapter(name);
  putTasks("a", "b", "c");
  let writes = 0;
  const strikes = ({ method, path }: SeenRequest) => method !== "GET" && !path.includes("/events") && ++writes === lost;
  api.inject({ match: strikes, action: { do: "reset after" } });
  putEvaluation();
  await until("the write is lost, or there is none", () => writes >= lost || sandboxes().length > 0);
  await manager.stop();
  api.clearFaults();
  const frozen = planOf();
  putTasks("c");
  if (frozen) api.delete(adapters, key(frozen.arms[0].batches[1].adapters[0]));
  await startOperator();
  await until("the sandbox of the first batch is there", () => sandboxes().length > 0);
  expect(sandboxes()).toEqual([`held-out-es${found().status?.epoch}`]);
  const plan = planOf();
  if (frozen) expect(plan).toEqual(frozen);
  expect(found().status).toMatchObject({ activeAdapters: plan.arms[0].batches[0].adapters, taskSet: { digest: plan.taskSet.digest } });
  expect(stored).toContain(`rune/default/tasks@${plan.taskSet.digest}`);
});
