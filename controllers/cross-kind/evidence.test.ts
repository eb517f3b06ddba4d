import { storeEvidence } from "@rune/clients/registry/evidence";
import { Registry } from "@rune/clients/registry/registry";
import { MemoryRegistry } from "@rune/clients/testing/memory-registry";
import { mediaType } from "@rune/crds/contracts/artifact";
import type { Adapter } from "@rune/crds/kinds/adapter";
import { resourceOf } from "@rune/crds/kinds/kind";
import { kinds } from "@rune/crds/kinds/kinds";
import { configMaps, type KubeObject, Manager, namespaces, silentLogger } from "kopf-ts";
import { FakeApiServer, type SeenRequest, VirtualClock } from "kopf-ts/testing";
import { afterEach, beforeEach, expect, it } from "vitest";
import { register as registerAdapter } from "../adapter/controller.ts";
import { register as registerEvaluation } from "../evaluation/controller.ts";
import { adapters, evaluations, modelServers } from "../shared/resources.ts";
import type { Services } from "../shared/services.ts";
import { endEvaluator } from "../testing/evaluator.ts";
import { adapter, baseDigest, condition, config, digestOf, evaluation, modelServer } from "../testing/objects.ts";
import { succession, successionScope } from "../testing/succession.ts";

/** Evaluations and Adapters on one registry, which outlives every cluster and holds all measurements and decisions. */

let api: FakeApiServer;
let memory: MemoryRegistry;
let clock: VirtualClock;
let manager: Manager;

const key = (name: string) => ({ namespace: "default", name });
const registry = () => new Registry({ url: memory.url, clock: { now: () => Date.now(), wait: async () => undefined, random: () => 0 } });
const services = () =>
  ({
    config,
    registry,
    runnerToken: () => "token",
    logs: { readLog: async () => ({ records: [], lastSequence: 0 }), foldLog: async (_: string, { empty }: { empty: unknown }) => empty },
    onNotice: () => undefined,
    clusterDNS: "10.96.0.10",
  }) as unknown as Services;

async function startOperator(at: string): Promise<void> {
  clock = new VirtualClock(at);
  manager = new Manager({ client: api.client(), clock, logger: silentLogger, freeze: "deep" });
  registerAdapter(manager, services());
  registerEvaluation(manager, services());
  await manager.start();
}

/** A cluster without any of Rune's objects. */
async function emptyCluster(at: string): Promise<void> {
  api = await FakeApiServer.start({ resources: kinds.map(resourceOf) });
  api.put(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
  await startOperator(at);
}

async function leaveCluster(): Promise<void> {
  await manager.stop();
  await api.stop();
}

beforeEach(async () => {
  memory = await MemoryRegistry.start();
  await emptyCluster("2026-03-01T00:00:00Z");
});
afterEach(async () => {
  await leaveCluster();
  await memory.stop();
});

/** Advances the virtual clock until `holds`; only loopback requests take real time. */
async function until(what: string, holds: () => boolean): Promise<void> {
  for (let seconds = 0; seconds < 300; seconds++) {
    if (holds()) return;
    await clock.advance(1000);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  throw new Error(`${what} didn't come true within 300 seconds`);
}

/** An artifact in the registry, and the manifest of its Adapter. */
function published(weights = "weights"): Adapter {
  const source = { kind: "Import" as const };
  const scope = { project: "tessera" };
  const common = { base: { name: "coder", digest: baseDigest }, rank: 16, alpha: 32, targetModules: ["q_proj"], scope, source };
  const blob = memory.put({ schema: "rune.dev/adapter/v1", ...common, parents: [], generation: 0, files: {} });
  const layer = memory.put(weights);
  const { digest } = memory.put({
    schemaVersion: 2,
    artifactType: mediaType.adapter,
    config: { mediaType: mediaType.adapter, ...blob },
    layers: [{ mediaType: mediaType.adapterFile, ...layer }],
  });
  const artifact = { repository: "rune/default/adapters", digest, sizeBytes: layer.size };
  const name = `tessera-${digest.slice(7, 23)}`;
  const metadata = { namespace: "default", name } as Adapter["metadata"];
  return { ...adapter(name, { spec: { ...common, artifact }, status: undefined }), metadata };
}

const found = (name: string) => api.find(adapters, key(name));
const evaluationNow = () => api.find(evaluations, key("held-out"));
const reasonOf = (object: KubeObject | undefined) =>
  (object as Adapter | undefined)?.status?.conditions?.find(({ type }) => type === "Ready")?.reason;
const tags = () => [...memory.snapshot().keys()].filter((each) => !each.startsWith("sha256:"));

/** Runs an evaluation of an adapter beside its base, up to the last evaluator's result. */
async function measure(subject: Adapter): Promise<void> {
  const { name } = subject.metadata;
  const held = { name, digest: subject.spec.artifact.digest, state: "Loaded" as const, engines: 1 };
  api.put(modelServers, modelServer("coder", { status: { baseDigest, conditions: [condition("Ready")], adapters: [held] } }));
  const task = { id: "t", description: "d", tests: "assert f() == 1", entryPoint: "f", scope: { project: "tessera" } };
  const data = { "tasks.jsonl": JSON.stringify(task) };
  api.put(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: key("tasks"), data } as KubeObject);
  const arms = [
    { name: "base", serverRef: { name: "coder" } },
    { name: "adapter", serverRef: { name: "coder" }, adapter: name },
  ];
  const spec = { arms, gate: { candidate: "adapter", baseline: "base" }, taskSet: { configMap: { name: "tasks" } } };
  api.put(evaluations, evaluation("held-out", { spec }));
  const rate = (estimate: number) => ({ estimate, lower: estimate - 0.1, upper: estimate + 0.1 });
  await until("both are asked", () => evaluationNow()?.status?.epoch === 1);
  const object = evaluationNow();
  if (!object) throw new Error("the evaluation is gone");
  endEvaluator(api, object, 1, {
    arms: [
      { name: "base", completed: 1, passAt1: rate(0.2) },
      { name: "adapter", completed: 1, passAt1: rate(0.5) },
    ],
    delta: { estimate: 30, lower: 10, upper: 50 },
    verdict: "Passed",
    report: { repository: "rune/default/reports", digest: digestOf("e") },
  });
}

const measuredStatus = {
  fitness: { passAt1: { estimate: "0.500" }, base: { estimate: "0.200" }, evaluation: "held-out" },
  evidence: [{ taskSet: { tasks: 1, scope: { project: "tessera" } } }],
  gate: { verdict: "Passed", evaluation: "held-out" },
  tier: "Task",
  archived: false,
};
/** The part of status that is derived from evidence alone. */
const bySayings = ({ status }: Adapter) => {
  const { fitness, evidence, gate, tier, archived, champion, evidenceDigest } = status ?? {};
  return { fitness, evidence, gate, tier, archived, champion, evidenceDigest };
};

it.each([
  ["with a referrers API", true],
  ["without one", false],
])(
  "what was measured is stored once though the operator is lost before it told, and an empty cluster knows it from a registry %s",
  async (_, has) => {
    memory.hasReferrers = has;
    const subject = published();
    const { name } = subject.metadata;
    api.put(adapters, subject);
    await until("the adapter is verified", () => found(name)?.status?.evidenceDigest !== undefined);
    const before = memory.snapshot();
    const isStored = () => tags().some((tag) => tag.includes(".evaluation."));
    const tellsOfTheEnd = ({ method, path }: SeenRequest) => method !== "GET" && path.endsWith("/held-out/status") && isStored();
    api.inject({ match: tellsOfTheEnd, times: Number.POSITIVE_INFINITY, action: { do: "refuse", status: 500 } });
    await measure(subject);
    await until("it is stored", isStored);
    const stored = memory.snapshot();
    await manager.stop();
    api.clearFaults();
    expect(reasonOf(evaluationNow())).not.toBe("Measured");
    await startOperator("2026-03-01T01:00:00Z");
    await until("it has ended", () => reasonOf(evaluationNow()) === "Measured");
    await until("the adapter knows", () => found(name)?.status?.fitness !== undefined);
    const told = found(name) as Adapter;
    expect(told.status).toMatchObject(measuredStatus);
    expect(memory.snapshot()).toEqual(stored);
    for (const [each, bytes] of before) expect(stored.get(each)).toEqual(bytes);
    expect(tags()).toHaveLength(1);

    await leaveCluster();
    await emptyCluster("2026-04-01T00:00:00Z");
    api.put(adapters, subject);
    await until("it is rebuilt", () => found(name)?.status?.evidenceDigest !== undefined);
    expect(bySayings(found(name) as Adapter)).toEqual(bySayings(told));
  },
);

it.each([
  ["with a referrers API", true],
  ["without one", false],
])(
  "a champion, its tier and the champion that it took the place of are the same in an empty cluster, from a registry %s",
  { timeout: 120_000 },
  async (_, has) => {
    memory.hasReferrers = has;
    const [champion, former] = [published("better"), published("good")];
    const both = [champion, former];
    const statusOf = ({ metadata }: Adapter) => found(metadata.name)?.status;
    for (const each of both) api.put(adapters, each);
    await until("both are verified", () => both.every((each) => statusOf(each)?.evidenceDigest !== undefined));
    expect(both.map((each) => statusOf(each)?.tier)).toEqual(["Task", "Task"]);
    const weightsOf = ({ metadata, spec }: Adapter) => ({ name: metadata.name, digest: spec.artifact.digest });
    for (const piece of succession({ champion: weightsOf(champion), former: weightsOf(former), namespace: "default" }))
      await storeEvidence(registry(), champion.spec.artifact.repository, piece);
    for (const { metadata } of both) {
      const object = found(metadata.name) as Adapter;
      api.put(adapters, { ...object, metadata: { ...object.metadata, annotations: { "rune.dev/archive": "no longer needed" } } });
    }
    await until("both are archived", () => both.every((each) => statusOf(each)?.archived));
    const told = both.map(({ metadata }) => bySayings(found(metadata.name) as Adapter));
    expect(told).toMatchObject([{ tier: "Domain", champion: successionScope }, { tier: "Domain" }]);
    expect(told[1]?.champion).toBeUndefined();

    await leaveCluster();
    await emptyCluster("2026-04-01T00:00:00Z");
    for (const each of both) api.put(adapters, each);
    await until("both are rebuilt", () => both.every((each) => statusOf(each)?.evidenceDigest !== undefined));
    expect(both.map(({ metadata }) => bySayings(found(metadata.name) as Adapter))).toEqual(told);
  },
);

it("a person archives and restores by annotation, each word counts once, and nobody else is asked about it again", async () => {
  const subject = published();
  const { name } = subject.metadata;
  const say = (annotations: Record<string, string>) => {
    const object = found(name) ?? subject;
    api.put(adapters, { ...object, metadata: { ...object.metadata, annotations } });
  };
  api.put(adapters, subject);
  await until("it is verified", () => found(name)?.status?.archived === false);
  say({ "rune.dev/archive": "replaced" });
  await until("it is archived", () => found(name)?.metadata.labels?.["rune.dev/archived"] === "true");
  say({ "rune.dev/archive": "replaced", "rune.dev/restore": "needed again" });
  await until("it is restored", () => found(name)?.metadata.labels?.["rune.dev/archived"] === "false");
  expect(tags().map((tag) => tag.split(".")[1])).toEqual(["archival", "restoration"]);
  const { heard } = found(name)?.status ?? {};
  expect(Object.keys(heard ?? {})).toEqual(["archive", "restore"]);
  const asked = memory.requests.length;
  say({ "rune.dev/archive": "replaced", "rune.dev/restore": "needed again", other: "x" });
  await until("a minute is over", () => clock.now().getTime() - Date.parse("2026-03-01T00:01:30Z") > 0);
  expect(memory.requests).toHaveLength(asked);

  await leaveCluster();
  await emptyCluster("2026-04-01T00:00:00Z");
  api.put(adapters, { ...subject, metadata: { ...subject.metadata, annotations: { "rune.dev/archive": "replaced" } } });
  await until("it is rebuilt", () => found(name)?.status?.evidenceDigest !== undefined);
  expect(found(name)?.status).toMatchObject({ archived: false });
  expect(tags()).toHaveLength(2);
});
