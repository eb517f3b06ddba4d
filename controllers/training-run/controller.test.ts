import { Registry } from "@rune/clients/registry/registry";
import { MemoryRegistry } from "@rune/clients/testing/memory-registry";
import { mediaType } from "@rune/crds/contracts/artifact";
import type { AgentSession } from "@rune/crds/kinds/agent-session";
import { resourceOf } from "@rune/crds/kinds/kind";
import { kinds } from "@rune/crds/kinds/kinds";
import { type TrainingRun, trainingRun } from "@rune/crds/kinds/training-run";
import { apiVersion } from "@rune/crds/words/group";
import { getCondition, isTrue, Manager, namespaces, secrets, silentLogger } from "kopf-ts";
import { FakeApiServer, VirtualClock } from "kopf-ts/testing";
import { afterEach, beforeEach, expect, it } from "vitest";
import { adapters, agentSessions, trainingRuns } from "../shared/resources.ts";
import type { Services } from "../shared/services.ts";
import { FakeOutbox } from "../testing/fake-outbox.ts";
import { adapter, agentSession, condition, config, digestOf, metadata } from "../testing/objects.ts";
import { register } from "./controller.ts";

/** The controller against an API server and a registry: its reads, its writes, and their order. */
const key = (name: string) => ({ namespace: "default", name });
const base = { name: "coder", digest: digestOf("d") };

let api: FakeApiServer;
let registry: MemoryRegistry;
let clock: VirtualClock;
let manager: Manager;
/** Repositories that the operator requested, by namespace. */
let asked: string[];
let outbox: FakeOutbox;

beforeEach(async () => {
  api = await FakeApiServer.start({ resources: kinds.map(resourceOf) });
  api.put(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: "default" } });
  registry = await MemoryRegistry.start();
  clock = new VirtualClock("2026-03-01T00:00:00Z");
  asked = [];
  outbox = new FakeOutbox();
  await startOperator();
});

afterEach(async () => {
  await manager.stop();
  await api.stop();
  await registry.stop();
});

async function startOperator(): Promise<void> {
  manager = new Manager({ client: api.client(), clock, logger: silentLogger, freeze: "deep" });
  register(manager, services());
  await manager.start();
}

function services(): Services {
  return {
    config,
    registry: (_namespace, repository) => {
      asked.push(repository);
      return new Registry({ url: registry.url, clock: { now: () => Date.now(), wait: async () => undefined, random: () => 0 } });
    },
    registryToken: async ({ access }) => access.map(({ repository, actions }) => `${repository} ${actions.join("+")}`).join("\n"),
    natsCredentials: async () => "credentials",
    progress: () => undefined,
    mlflow: undefined,
    events: outbox,
    onNotice: () => undefined,
    runnerToken: unexpected,
    bundledTaskSet: unexpected,
    nonce: unexpected,
    logs: { readLog: unexpected, foldLog: unexpected },
    loader: unexpected,
    followDemand: unexpected,
    adminKeys: { keys: [] },
    clusterDNS: "10.96.0.10",
  };
}

function unexpected(): never {
  throw new Error("no controller of this test should ask for this");
}

/** Advances the virtual clock until `holds`; only loopback requests take real time. */
async function until(what: string, holds: () => boolean, pace = 1000): Promise<void> {
  for (let turns = 0; turns < 2000; turns++) {
    if (holds()) return;
    await clock.advance(pace);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
  throw new Error(`${what} didn't come true`);
}

function artifact(artifactType: string, configuration: object, more: { layers?: object[]; annotations?: object } = {}): string {
  const blob = { mediaType: artifactType, ...registry.put(configuration) };
  return registry.put({ schemaVersion: 2, artifactType, config: blob, layers: more.layers ?? [], annotations: more.annotations }).digest;
}

const model = () => artifact(mediaType.model, { schema: "rune.dev/model/v1", ...base, files: {} });

function aRun(name: string, spec: object, status?: TrainingRun["status"]): TrainingRun {
  const full = { base: { oci: { repository: "rune/models/coder", digest: model() } }, ...spec };
  return { apiVersion, kind: "TrainingRun", metadata: metadata(name), spec: trainingRun.spec.parse(full), status };
}

const find = (name: string) => api.find(trainingRuns, key(name));
const reasonOf = (name: string) => getCondition(find(name) ?? {}, "Ready")?.reason;
const tokenOf = (secret: string) =>
  Buffer.from(api.find(secrets, key(secret))?.data?.["registry-token"] ?? "", "base64")
    .toString()
    .split("\n");
const corpus = { sessions: { matchLabels: { learn: "yes" } } };

/** A run that has stored an index of `count` adapters and nothing else; with `told` false it couldn't report it. */
function putRunWithIndex(count: number, source: object = {}, told = true): void {
  const spec = { generate: { hypernetwork: { run: "houses" }, each: "Session" }, corpus };
  const { uid } = api.put(trainingRuns, aRun("each", { ...spec, suspend: true })).metadata;
  const manifests = Array.from({ length: count }, (_, n) => {
    const digest = artifact(mediaType.adapter, {
      schema: "rune.dev/adapter/v1",
      base,
      rank: 16,
      alpha: 16,
      targetModules: ["down_proj"],
      scope: { project: "tessera", task: `t${n}` },
      source: { kind: "TrainingRun", name: "each", uid, ...source },
      parents: [],
      generation: 0,
      session: { namespace: "default", name: `s${n}`, uid: `u${n}` },
      files: {},
    });
    return { mediaType: mediaType.manifest, digest, size: 400 };
  });
  const index = { schemaVersion: 2, mediaType: mediaType.index, artifactType: mediaType.adapters, manifests };
  const { digest } = registry.put(index, `run-${uid}`);
  const ended = { number: 1, job: "each-a1", result: told ? ("Succeeded" as const) : ("Failed" as const), endTime: "2026-03-01T00:00:00Z" };
  const result = { repository: "rune/default/adapters", digest, sizeBytes: 1000, adapters: count };
  const late = { ...ended, startTime: "2026-02-01T00:00:00Z" };
  const run = aRun("each", spec, told ? { attempts: [ended], result } : { attempts: [late] });
  api.put(trainingRuns, { ...run, metadata: { ...run.metadata, uid } });
}

it("makes exactly one Adapter for each session, whatever fails and whenever the operator dies", { timeout: 60_000 }, async () => {
  const creates = ({ method, path }: { method: string; path: string }) => method === "POST" && path.endsWith("/adapters");
  let creations = 0;
  // Writes whose responses never arrive, refusals, and an operator that is restarted.
  api.inject({ match: (request) => creates(request) && ++creations % 5 === 0, times: 6, action: { do: "reset after" } });
  api.inject({ match: (request) => creates(request) && creations % 7 === 0, times: 4, action: { do: "refuse", status: 500 } });
  putRunWithIndex(45);
  for (const some of [1, 22, 41]) {
    await until(`${some} Adapters exist`, () => api.all(adapters).length >= some);
    await manager.stop();
    await startOperator();
  }
  const [first] = api.all(adapters);
  if (first) api.put(adapters, { ...first, metadata: { ...first.metadata, labels: {} } });
  await until("the run has succeeded", () => isTrue(find("each") ?? {}, "Succeeded"));
  expect(api.faultsLeft).toBe(0);
  const made = api.all(adapters);
  expect(new Set(made.map(({ spec }) => spec.artifact.digest)).size).toBe(45);
  expect(made).toHaveLength(45);
  expect(new Set(made.map(({ metadata }) => metadata.labels?.["rune.dev/session"])).size, "one has lost its labels").toBe(45);
  expect(find("each")?.status).toMatchObject({ adapters: { created: 45, total: 45 } });
});

it("tells once what a run has made, and the same again to the outbox of the operator after it", async () => {
  putRunWithIndex(3);
  await until("it is told", () => outbox.told.length > 0);
  const first = outbox.told;
  const run = find("each");
  api.put(trainingRuns, { ...aRun("each", {}), ...run, metadata: { ...metadata("each"), ...run?.metadata, labels: { touched: "yes" } } });
  let turns = 0;
  await until("the change has been heard", () => ++turns > 50, 10);
  expect(first).toMatchObject([{ type: "dev.rune.trainingrun.produced.v1", id: `${run?.metadata.uid}/produced`, data: { adapters: 3 } }]);
  await manager.stop();
  outbox = new FakeOutbox();
  await startOperator();
  await until("it is told again", () => outbox.told.length > 0);
  expect(outbox.told).toEqual(first);
});

it("adopts an index that a trainer stored before its time was over, though nobody heard of it", async () => {
  putRunWithIndex(3, {}, false);
  await until("the run has succeeded", () => isTrue(find("each") ?? {}, "Succeeded"));
  expect(find("each")?.status).toMatchObject({
    attempts: [{ number: 1, result: "Succeeded", message: "its Job or its time ended first; adopted what it had stored" }],
    result: { adapters: 3, sizeBytes: 1200 },
    adapters: { created: 3, total: 3 },
  });
  expect(api.all(adapters)).toHaveLength(3);
});

it("adopts no index whose adapters another run made", async () => {
  putRunWithIndex(3, { uid: "another", name: "other" }, false);
  await until("the run has failed", () => isTrue(find("each") ?? {}, "Failed"));
  expect(reasonOf("each")).toBe("DeadlineExceeded");
  expect(api.all(adapters)).toEqual([]);
});

it("makes no Adapter of what another run made, whatever an index lists", async () => {
  putRunWithIndex(3, { uid: "another", name: "other" });
  await until("it is said", () => reasonOf("each") === "ArtifactMissing");
  expect(getCondition(find("each") ?? {}, "Ready")?.message).toContain("was made by other, not by this run");
  expect(api.all(adapters)).toEqual([]);
});

it("waits for the run that trains its hypernetwork, and goes on as soon as that has succeeded", async () => {
  const digest = artifact(mediaType.hypernetwork, {
    schema: "rune.dev/hypernetwork/v1",
    base,
    rank: 8,
    targetModules: ["down_proj"],
    chunkTokens: 512,
    maxChunks: 7,
    source: { kind: "TrainingRun", name: "houses", uid: "u" },
    collapsed: false,
    settings: {},
    files: {},
  });
  api.put(trainingRuns, aRun("held-out", { generate: { hypernetwork: { run: "houses" } }, corpus }));
  await until("it waits for the run", () => reasonOf("held-out") === "RunMissing");
  let turns = 0;
  await until("its own writes have been heard", () => ++turns > 50, 10);
  const houses = aRun("houses", { hypernetwork: {}, corpus });
  const ended = { result: { repository: "rune/default/hypernetworks", digest, sizeBytes: 9 }, conditions: [condition("Succeeded")] };
  api.put(trainingRuns, { ...houses, status: ended });
  // Within twenty seconds: without a wake-up it would look again after sixty.
  await until("its inputs are frozen", () => find("held-out")?.status?.inputs !== undefined, 10);
  expect(find("held-out")?.status?.inputs).toEqual({
    hypernetwork: { repository: "rune/default/hypernetworks", digest, rank: 8, collapsed: false },
  });
  expect(asked).toContain("rune/default/hypernetworks");
});

it("isn't woken by the progress of a session that it will learn from, but by its end", async () => {
  const labels = { learn: "yes" };
  const at = (status: AgentSession["status"]) => {
    const { metadata } = api.find(agentSessions, key("one")) ?? {};
    api.put(agentSessions, agentSession("one", { metadata: { ...metadata, labels }, status }));
  };
  at({ epoch: 1 });
  api.put(trainingRuns, aRun("waiting", { corpus: { ...corpus, minimumSessions: 1 } }));
  await until("it waits for the session", () => reasonOf("waiting") === "SessionsRunning");
  const hear = async () => {
    let turns = 0;
    await until("all has been heard", () => ++turns > 50, 10);
  };
  await hear();
  const before = asked.length;
  for (const epoch of [2, 3, 4]) {
    at({ epoch });
    await hear();
  }
  expect(asked).toHaveLength(before);
  const trajectory = { repository: "rune/default/trajectories", digest: digestOf("7") };
  at({ epoch: 4, outcome: "Solved", trajectory, conditions: [condition("Succeeded")] });
  await until("its corpus is frozen", () => find("waiting")?.status?.corpus !== undefined, 10);
});

it("opens to a trainer that merges by search what it reads and the one repository that it writes, and nothing else", async () => {
  for (const [name, digit, repository] of [
    ["left-1111111111111111", "1", "rune/default/adapters"],
    ["right-2222222222222222", "2", "rune/other/adapters-of-old"],
  ] as const) {
    const spec = { base, artifact: { repository, digest: digestOf(digit), sizeBytes: 9 } };
    api.put(adapters, adapter(name, { spec }));
  }
  const merge = { adapters: ["left-1111111111111111", "right-2222222222222222"], search: {} };
  api.put(trainingRuns, aRun("root", { merge }));
  await until("its attempt has credentials", () => api.find(secrets, key("root-a1")) !== undefined);
  expect(tokenOf("root-a1").sort()).toEqual([
    "rune/default/adapters pull+push",
    "rune/default/trajectories pull",
    "rune/models/coder pull",
    "rune/other/adapters-of-old pull",
  ]);
});

it("opens the repository of hypernetworks, and no adapters', to a trainer of one", async () => {
  const repository = "rune/default/corpora";
  const annotations = { "dev.rune.corpus.count": "200", "dev.rune.corpus.solved": "180" };
  const digest = artifact(mediaType.corpus, {}, { annotations });
  api.put(trainingRuns, aRun("houses", { hypernetwork: {}, corpus: { artifact: { repository, digest } } }));
  await until("its attempt has credentials", () => api.find(secrets, key("houses-a1")) !== undefined);
  expect(find("houses")?.status?.corpus).toEqual({ digest, count: 200, solved: 180, trajectories: [{ repository, digest }] });
  expect(tokenOf("houses-a1").sort()).toEqual([
    "rune/default/corpora pull",
    "rune/default/hypernetworks pull+push",
    "rune/models/coder pull",
  ]);
});

it("doesn't call a session solved that wasn't, and no model a corpus", async () => {
  const repository = "rune/default/trajectories";
  const layer = { mediaType: mediaType.trajectory, ...registry.put({ outcome: "Exhausted", scope: { project: "tessera" } }) };
  const digest = artifact(mediaType.trajectory, {}, { layers: [layer] });
  api.put(trainingRuns, aRun("unsolved", { sft: {}, corpus: { artifact: { repository, digest } } }));
  api.put(trainingRuns, aRun("model", { sft: {}, corpus: { artifact: { repository: "rune/models/coder", digest: model() } } }));
  await until("both say so", () => reasonOf("unsolved") === "CorpusTooSmall" && reasonOf("model") === "NotACorpus");
  expect(getCondition(find("unsolved") ?? {}, "CorpusSufficient")?.status).toBe("False");
  expect(getCondition(find("model") ?? {}, "Ready")?.message).toContain("neither a trajectory nor a corpus");
});
