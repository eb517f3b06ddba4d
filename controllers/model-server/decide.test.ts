import type { LoaderState } from "@rune/crds/contracts/loader";
import { loaderConfig } from "@rune/crds/contracts/loader";
import { stageJob } from "@rune/crds/contracts/stage";
import { type DynamicObject, nextStatus, type Outcome } from "kopf-ts";
import { describe, expect, it } from "vitest";
import { stamped } from "../pods/drift.ts";
import { adapter, baseDigest, config, digestOf, enginePod, modelServer } from "../testing/objects.ts";
import { decide, manifests, stuckPods } from "./decide.ts";
import type { Engine, World } from "./world.ts";

const now = new Date("2026-03-01T00:00:00Z");
const adminKeys = { keys: [{ kty: "EC" }] };
const answering: LoaderState = { engine: { ready: true, bootID: "boot-1", baseDigest, slots: 4, maxRank: 16 }, adapters: [], wanted: [] };
const rolledOut: DynamicObject = {
  apiVersion: "apps/v1",
  kind: "StatefulSet",
  metadata: { name: "coder", namespace: "default", generation: 3 },
  status: { observedGeneration: 3, replicas: 1, updatedReplicas: 1, currentRevision: "r1", updateRevision: "r1" },
};
const serving: Engine = { pod: enginePod("coder-0"), state: answering };

function worldOf(more: Partial<World> = {}): World {
  return {
    server: modelServer(),
    config,
    requirements: [],
    leaderWorkerSets: false,
    base: { name: "coder", digest: baseDigest },
    adminKeys,
    statefulSet: undefined,
    existing: () => undefined,
    engines: [],
    stagerToken: undefined,
    adapters: new Map(),
    demands: [],
    lastUses: new Map(),
    ...more,
  };
}

/** Conditions as a person would see them, by type. */
function told(world: World): Record<string, [string, string]> {
  const status = nextStatus(world.server, decide(world, now).outcome, now);
  const conditions = (status?.conditions ?? []) as { type: string; status: string; reason: string }[];
  return Object.fromEntries(conditions.map(({ type, status, reason }) => [type, [status, reason]]));
}
const applied = (outcome: Outcome) => outcome.applies.map(({ kind, metadata }) => `${kind} ${metadata.name}`);

it("a server whose pods admission refuses says so, in admission's own words", () => {
  const refusal = 'create Pod coder-0 in StatefulSet coder failed error: pods "coder-0" is forbidden: exceeded quota: compute';
  const world = worldOf({ statefulSet: rolledOut, refusal });
  expect(told(world).Ready).toEqual(["False", "PodMissing"]);
  expect(decide(world, now).outcome.message).toBe(`StatefulSet coder has no pod: ${refusal}`);
  const partly = { ...world, server: modelServer("coder", { spec: { replicas: 2 } }), engines: [serving] };
  expect(decide(partly, now).outcome.message).toBe(`1 of 2 engines answer; another gets no pod: ${refusal}`);
});

describe("a new ModelServer", () => {
  it("gets its token, inputs and policy before the pods that need them", () => {
    const { outcome } = decide(worldOf({ stagerToken: { token: "t", renewal: now } }), now);
    expect(applied(outcome)).toEqual([
      "Secret coder-engine",
      "ConfigMap coder-engine",
      "NetworkPolicy coder",
      "Service coder-pods",
      "Service coder",
      "StatefulSet coder",
    ]);
    expect(told(worldOf())).toMatchObject({ Ready: ["False", "NoEngineReady"], Reconciling: ["True", "NoEngineReady"] });
  });

  it("waits for what it requires, and once it runs no longer", () => {
    const requirements = [{ kind: "Evaluation", name: "gate", condition: "GatePassed", object: undefined }];
    expect(told(worldOf({ requirements }))).toMatchObject({ Ready: ["False", "RequirementNotMet"] });
    expect(applied(decide(worldOf({ requirements }), now).outcome)).toEqual([]);
    expect(told(worldOf({ requirements, statefulSet: rolledOut, engines: [serving] }))).toMatchObject({ Ready: ["True", "Ready"] });
  });

  it.each([
    ["spans nodes without LeaderWorkerSet", { server: modelServer("coder", { spec: { nodesPerReplica: 2 } }) }, "LeaderWorkerSetMissing"],
    [
      "spans nodes",
      { server: modelServer("coder", { spec: { nodesPerReplica: 2 } }), leaderWorkerSets: true },
      "NodesPerReplicaUnsupported",
    ],
    [
      "opens the engine to others",
      { server: modelServer("coder", { spec: { engine: { extraArguments: ["--host=0.0.0.0"] } } }) },
      "EngineArgumentRefused",
    ],
    [
      "turns off what counts poisoned answers",
      { server: modelServer("coder", { spec: { engine: { environment: [{ name: "VLLM_COMPUTE_NANS_IN_LOGITS", value: "0" }] } } }) },
      "EngineArgumentRefused",
    ],
    [
      "wants four bits of an engine on CPUs",
      {
        server: modelServer("coder", { spec: { quantization: "NF4" } }),
        config: { ...config, engine: { ...config.engine, device: "CPU" } },
      },
      "QuantizationUnsupported",
    ],
    [
      "names a base in another namespace's repository",
      {
        server: modelServer("coder", { spec: { base: { oci: { repository: "rune/other/adapters", digest: digestOf("a") } } } }),
        base: { missing: false, unresolved: "refused" },
      },
      "ForeignRepository",
    ],
    ["names a base that isn't in the registry", { base: { missing: true, unresolved: "no such model" } }, "BaseModelUnavailable"],
    ["can't reach the registry", { base: { missing: false, unresolved: "refused" } }, "RegistryUnavailable"],
  ] as [string, Partial<World>, string][])("creates nothing when it %s", (_what, more, reason) => {
    const world = worldOf(more);
    expect(told(world).Ready).toEqual(["False", reason]);
    expect(applied(decide(world, now).outcome)).toEqual([]);
  });
});

describe("a ModelServer with pods", () => {
  const withPod = (pod: DynamicObject, state?: LoaderState) => worldOf({ statefulSet: rolledOut, engines: [{ pod, state }] });

  it("is Ready when every engine answers, and never with none", () => {
    const world = worldOf({ statefulSet: rolledOut, engines: [serving] });
    expect(told(world)).toMatchObject({ Ready: ["True", "Ready"], AdaptersLoaded: ["True", "AllLoaded"] });
    expect(decide(world, now).outcome.status).toMatchObject({ readyReplicas: 1, baseDigest, url: "http://coder.default.svc:8080/v1" });
    expect(told(withPod(enginePod("coder-0"), { ...answering, engine: { ...answering.engine, ready: false } })).Ready).toEqual([
      "False",
      "NoEngineReady",
    ]);
    expect(told(withPod(enginePod("coder-0", {}), answering)).Ready).toEqual(["False", "NoEngineReady"]);
  });

  it("says that a loader refuses the operator's token, and what to look at", () => {
    const denied = { pod: enginePod("coder-0", {}), state: undefined, isDenied: true };
    const said = /the loader of pod coder-0 refuses the operator's token: compare the clocks/;
    expect(decide(worldOf({ statefulSet: rolledOut, engines: [denied] }), now).outcome.message).toMatch(said);
    const two = worldOf({ server: modelServer("coder", { spec: { replicas: 2 } }), statefulSet: rolledOut, engines: [serving, denied] });
    expect(decide(two, now).outcome.message).toMatch(said);
  });

  it("stays Ready while only some engines answer or a change rolls", () => {
    const two = modelServer("coder", { spec: { replicas: 2 } });
    expect(told(worldOf({ server: two, statefulSet: rolledOut, engines: [serving] }))).toMatchObject({
      Ready: ["True", "PartlyReady"],
      Reconciling: ["True", "EnginesStarting"],
    });
    const rolling = { ...rolledOut, status: { ...rolledOut.status, updatedReplicas: 0, updateRevision: "r2" } };
    expect(told(worldOf({ statefulSet: rolling, engines: [serving] }))).toMatchObject({ Ready: ["True", "PartlyReady"] });
  });

  it("isn't Ready at zero replicas, though nothing is wrong", () => {
    const conditions = told(worldOf({ server: modelServer("coder", { spec: { replicas: 0 } }), statefulSet: rolledOut }));
    expect(conditions.Ready).toEqual(["False", "ScaledToZero"]);
    expect(conditions).not.toHaveProperty("Stalled");
    expect(conditions).not.toHaveProperty("Reconciling");
  });

  it("doesn't count an engine that serves another base", () => {
    const other = { ...answering, engine: { ...answering.engine, baseDigest: digestOf("c") } };
    expect(told(withPod(enginePod("coder-0"), other)).Ready).toEqual(["False", "NoEngineReady"]);
  });

  it.each([
    [
      "can't be staged by a passing cause",
      {
        name: "stage-model",
        state: {
          terminated: { exitCode: 75, message: JSON.stringify({ failure: { reason: "RegistryUnavailable", message: "refused" } }) },
        },
      },
      "RegistryUnavailable",
      "Reconciling",
    ],
    [
      "can't be staged ever",
      {
        name: "stage-model",
        state: { waiting: { reason: "CrashLoopBackOff" } },
        lastState: {
          terminated: { exitCode: 65, message: JSON.stringify({ failure: { reason: "ArtifactMissing", message: "no such model" } }) },
        },
      },
      "ArtifactMissing",
      "Stalled",
    ],
    [
      "has an image that can't be pulled",
      { name: "loader", state: { waiting: { reason: "ImagePullBackOff", message: "not found" } } },
      "ImageUnavailable",
      "Reconciling",
    ],
    [
      "needs more memory",
      {
        name: "vllm",
        restartCount: 4,
        state: { waiting: { reason: "CrashLoopBackOff" } },
        lastState: { terminated: { exitCode: 137, reason: "OOMKilled" } },
      },
      "EngineCrashing",
      "Reconciling",
    ],
  ])("says that its pod %s", (_what, container, reason, type) => {
    const conditions = told(withPod(enginePod("coder-0", { initContainerStatuses: [container] })));
    expect(conditions.Ready).toEqual(["False", reason]);
    expect(conditions[type]).toEqual(["True", reason]);
  });

  it("learns the base model's identity from the stager and is stalled when a later pod has another", () => {
    const staged = (digest: string) =>
      enginePod("coder-0", {
        initContainerStatuses: [
          { name: "stage-model", state: { terminated: { exitCode: 0, message: JSON.stringify({ digest, name: "m" }) } } },
        ],
      });
    expect(
      decide(worldOf({ base: undefined, engines: [{ pod: staged(baseDigest), state: undefined }] }), now).outcome.status,
    ).toMatchObject({ baseDigest });
    const known = modelServer("coder", { status: { baseDigest } });
    expect(told(worldOf({ server: known, engines: [{ pod: staged(digestOf("c")), state: undefined }] }))).toMatchObject({
      Stalled: ["True", "BaseModelChanged"],
    });
  });

  it("writes nothing that is there already", () => {
    const existing = manifests({ server: modelServer(), config, adminKeys }, baseDigest).map(stamped);
    const world = worldOf({
      statefulSet: rolledOut,
      engines: [serving],
      existing: (wanted) => existing.find(({ kind, metadata }) => kind === wanted.kind && metadata.name === wanted.metadata.name),
    });
    expect(applied(decide(world, now).outcome)).toEqual([]);
  });

  it("replaces pods of an old revision that never became ready, and those that served and have been unready for long", () => {
    const labelled = (name: string, revision: string, status?: object) => {
      const pod = enginePod(name, status);
      return { pod: { ...pod, metadata: { ...pod.metadata, labels: { "controller-revision-hash": revision } } }, state: undefined };
    };
    const statefulSet = { ...rolledOut, status: { ...rolledOut.status, updateRevision: "r2" } };
    const engines = [labelled("old-stuck", "r1", {}), labelled("old-ready", "r1"), labelled("new", "r2", {})];
    const stuckIn = (world: World) => stuckPods(world, now).map(({ metadata }) => metadata.name);
    expect(stuckIn(worldOf({ statefulSet, engines }))).toEqual(["old-stuck"]);

    const unreadySince = (seconds: number) => ({
      conditions: [{ type: "Ready", status: "False", lastTransitionTime: new Date(now.getTime() - seconds * 1000).toISOString() }],
    });
    const once = [labelled("restarting", "r1", unreadySince(20)), labelled("broken", "r1", unreadySince(301))];
    const served = once.map(({ pod: { metadata } }) => ({
      pod: metadata.name,
      podUID: metadata.uid ?? "",
      bootID: "boot-1",
      ready: false,
    }));
    const server = { ...modelServer(), status: { ...modelServer().status, engines: served } };
    expect(stuckIn(worldOf({ server, statefulSet, engines: once }))).toEqual(["broken"]);
  });
});

describe("adapters of a ModelServer", () => {
  const name = "tessera-1111111111111111";
  const wanting = (state: LoaderState, more: Partial<World> = {}) =>
    worldOf({
      statefulSet: rolledOut,
      engines: [{ pod: enginePod("coder-0"), state }],
      adapters: new Map([[name, adapter(name)]]),
      demands: [{ name, by: "AgentSession s" }],
      ...more,
    });
  const holding = { ...answering, adapters: [{ name, digest: digestOf("1"), state: "Loaded" as const, canary: "Matched" as const }] };

  it("are loaded where they are missing, and looked at again at once", () => {
    const { outcome, moves } = decide(wanting(answering), now);
    expect(moves.map(({ move }) => move.load.map(({ metadata }) => metadata.name))).toEqual([[name]]);
    expect(outcome.requeueAfterSeconds).toBe(1);
    expect(told(wanting(answering)).AdaptersLoaded).toEqual(["False", "Loading"]);
  });

  it("are told as loaded with their canary only where an engine says so", () => {
    expect(decide(wanting(holding), now).moves).toEqual([]);
    expect(decide(wanting(holding), now).outcome.status).toMatchObject({
      loadedAdapters: 1,
      adapters: [{ name, state: "Loaded", engines: 1, canary: "Matched" }],
    });
    expect(told(wanting(holding)).AdaptersLoaded).toEqual(["True", "AllLoaded"]);
  });

  it("that were refused permanently are told with the loader's reason, once as an event", () => {
    const refusing = {
      ...answering,
      adapters: [{ name, digest: digestOf("1"), state: "Refused" as const, reason: "NotFinite" as const, message: "layer 3 has NaN" }],
    };
    const world = wanting(refusing);
    const { outcome, moves } = decide(world, now);
    expect(moves).toEqual([]);
    expect(outcome.status).toMatchObject({
      adapters: [{ name, state: "Refused", engines: 0, reason: "NotFinite", message: "layer 3 has NaN" }],
    });
    expect(outcome.events.map(({ reason }) => reason)).toEqual(["AdapterRefused"]);
    const again = { ...world, server: { ...world.server, status: outcome.status as World["server"]["status"] } };
    expect(decide(again, now).outcome.events).toEqual([]);
  });

  it("that are wanted and don't exist are not told as loaded", () => {
    const world = wanting(answering, { adapters: new Map() });
    expect(told(world).AdaptersLoaded).toEqual(["False", "NotFound"]);
    expect(decide(world, now).outcome.status).toMatchObject({ loadedAdapters: 0, adapters: [] });
  });

  it("stay in status while they are loaded, though nobody wants them", () => {
    expect(decide(wanting(holding, { demands: [] }), now).outcome.status).toMatchObject({
      adapters: [{ name, state: "Loaded", engines: 1 }],
    });
  });

  it("are in status once they are loaded, however many others are wanted before them", () => {
    const others = Array.from({ length: 300 }, (_, n) => `other-${n}-1111111111111111`);
    const adapters = new Map([...others, name].map((each) => [each, adapter(each, each === name ? {} : { status: {} })]));
    const demands = [...others, name].map((each) => ({ name: each, by: "AgentSession s" }));
    const listed = decide(wanting(holding, { adapters, demands }), now).outcome.status as World["server"]["status"];
    expect(listed?.adapters).toHaveLength(256);
    expect(listed?.adapters?.[0]).toMatchObject({ name, state: "Loaded" });
  });

  it("a restarted engine is told, and the time of its boot moves", () => {
    const before = decide(wanting(holding), now).outcome.status as World["server"]["status"];
    const server = modelServer("coder", { status: before });
    const later = new Date("2026-03-01T01:00:00Z");
    const same = decide(wanting(holding, { server }), later).outcome;
    expect(same.status).toMatchObject({ engines: [{ bootID: "boot-1", since: "2026-03-01T00:00:00Z" }] });
    const restarted = { ...answering, engine: { ...answering.engine, bootID: "boot-2" } };
    const other = decide(wanting(restarted, { server }), later).outcome;
    expect(other.status).toMatchObject({ engines: [{ bootID: "boot-2", since: "2026-03-01T01:00:00Z" }] });
    expect(other.events.map(({ reason }) => reason)).toContain("EngineRestarted");
  });
});

describe("inputs of the pods", () => {
  const inputsOf = (base: string | undefined) =>
    manifests({ server: modelServer(), config, adminKeys }, base)[0] as unknown as { data: Record<string, string> };
  const templateOf = (base: string | undefined) =>
    JSON.stringify(manifests({ server: modelServer(), config, adminKeys }, base).find(({ kind }) => kind === "StatefulSet"));

  it("fit the contract's schemas", () => {
    const { data } = inputsOf(baseDigest);
    expect(loaderConfig.parse(JSON.parse(data["spec.json"] ?? "")).base).toEqual({
      name: "coder",
      path: "/models/base",
      digest: baseDigest,
    });
    expect(stageJob.parse(JSON.parse(data["stage.json"] ?? "")).expectedDigest).toBe(baseDigest);
  });

  it("may learn the base's identity without restarting any pod", () => {
    expect(inputsOf(undefined)).not.toEqual(inputsOf(baseDigest));
    expect(templateOf(undefined)).toBe(templateOf(baseDigest));
  });
});
