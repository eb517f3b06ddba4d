import type { HypernetworkConfig } from "@rune/crds/contracts/artifact";
import { trainerJob } from "@rune/crds/contracts/trainer";
import type { Adapter } from "@rune/crds/kinds/adapter";
import { type TrainingRun, trainingRun } from "@rune/crds/kinds/training-run";
import type { DynamicObject } from "kopf-ts";
import { describe, expect, it } from "vitest";
import { aCondition, aRun, aTrainingWorld, now } from "../testing/builders.ts";
import { adapter, condition, config, digestOf, modelServer } from "../testing/objects.ts";
import { decide } from "./decide.ts";
import { attemptObjects, trainerDocument } from "./manifests.ts";
import type { World } from "./world.ts";

/** Inputs of methods: awaited, refused with a message, or frozen, before any trainer starts. */
const base = { name: "m", digest: digestOf("d") };
const other = { name: "n", digest: digestOf("e") };
const trajectories = [{ repository: "rune/team/trajectories", digest: digestOf("f") }];
const corpus = { digest: digestOf("e"), count: 1, solved: 1, tasks: 1, trajectories, scope: { project: "tessera" } };

const noCorpus = { corpus: undefined, sft: undefined };
const merging = (merge: object = {}) => ({ ...noCorpus, merge: { adapters: ["left-1", "right-2"], ...merge } });
const generating = (generate: object = {}) => ({ sft: undefined, generate: { hypernetwork: { run: "houses" }, ...generate } });
const parent = (name: string, spec: object = {}, status?: Adapter["status"]) =>
  adapter(name, {
    metadata: { namespace: "team" },
    spec: { base, artifact: { repository: "rune/team/adapters", digest: digestOf(name.slice(-1)), sizeBytes: 9 }, ...spec },
    ...(status && { status }),
  });
const parents = (left: object = {}, right: object = {}) => [parent("left-1", left), parent("right-2", right)];

const hypernetwork: HypernetworkConfig = {
  schema: "rune.dev/hypernetwork/v1",
  base,
  rank: 8,
  targetModules: ["down_proj"],
  chunkTokens: 512,
  maxChunks: 7,
  source: { kind: "TrainingRun" },
  collapsed: false,
  settings: {},
  files: {},
};
const reference = { repository: "rune/team/hypernetworks", digest: digestOf("7") };
const generatorOf = (over: Partial<HypernetworkConfig> = {}): World["generator"] => ({ reference, config: { ...hypernetwork, ...over } });
const houses = (type: string | undefined = "Succeeded", spec: object = { sft: undefined, hypernetwork: {} }): TrainingRun => {
  const run = aRun({ spec, status: { result: { ...reference, sizeBytes: 9 }, conditions: type ? [aCondition(type)] : [] } });
  return { ...run, metadata: { ...run.metadata, name: "houses" } };
};

/** The trainer's input; it must match the schema that the trainer reads. */
const documentOf = (run: TrainingRun) => trainerJob.parse(trainerDocument({ run, number: 1, base, config, remainingSeconds: 60 }));

const decideOn = (spec: object, over: Partial<World> = {}, status: object = {}) =>
  decide(aTrainingWorld({ run: aRun({ spec, status }), ...over }), config, now);

describe("the adapters of a merge", () => {
  it("are waited for by name, and until they are verified", () => {
    expect(decideOn(merging(), { adapters: [parent("left-1")] })).toMatchObject({
      kind: "waiting",
      reason: "AdapterMissing",
      message: "waits for the Adapter right-2, which spec.merge.adapters names and this namespace doesn't have",
    });
    const unverified = [
      parent("left-1"),
      parent("right-2", {}, { conditions: [{ ...condition("Ready", "False"), message: "the registry is unavailable" }] }),
    ];
    expect(decideOn(merging(), { adapters: unverified })).toMatchObject({ kind: "waiting", reason: "AdapterNotReady" });
    expect(decideOn(merging(), { adapters: unverified }).message).toContain("right-2 to be verified: the registry is unavailable");
  });

  it.each([
    ["of different bases", parents({}, { base: other }), "BaseMismatch", "left-1 (for m, "],
    ["of another base", parents({ base: other }, { base: other }), "BaseMismatch", "the Adapter left-1 (for n, "],
    ["that know nothing", parents({}, { control: true }), "ControlAdapter", "names right-2, a control adapter"],
    ["of too many ranks", parents({ rank: 256 }, { rank: 320 }), "RankTooLarge", "rank 576, and no adapter may have more than 512"],
  ])("%s are refused in words before anything runs", (_, adapters, reason, words) => {
    const outcome = decideOn(merging(), { adapters });
    expect(outcome).toMatchObject({ kind: "stalled", reason, creates: [] });
    expect(outcome.message).toContain(words);
  });

  it("of different bases are refused even while nobody knows the run's own", () => {
    const unknown = { unresolved: "not staged yet", missing: false };
    expect(decideOn(merging(), { adapters: parents({}, { base: other }), base: unknown })).toMatchObject({ reason: "BaseMismatch" });
  });

  it("may be sixteen and one more whose norm the result gets", () => {
    const names = Array.from({ length: 16 }, (_, n) => `part-${n}`);
    const spec = trainingRun.spec.parse({ ...aRun().spec, ...noCorpus, merge: { adapters: names, normOf: "strong-9", combine: "Mean" } });
    const adapters = [...names, "strong-9"].map((name) => parent(name));
    const { status } = decideOn(spec, { adapters });
    const frozen = (status as TrainingRun["status"])?.inputs;
    expect(trainingRun.status.shape.inputs.parse(frozen)?.adapters).toHaveLength(17);
    expect(documentOf(aRun({ spec, status: { inputs: frozen, baseDigest: base.digest } })).adapters).toHaveLength(17);
  });

  it("are frozen by digest, and the child is theirs", () => {
    const adapters = parents({ generation: 2, scope: { project: "tessera", domain: "a" } }, { scope: { project: "tessera", domain: "b" } });
    const frozen = decideOn(merging(), { adapters });
    expect(frozen).toMatchObject({ reason: "InputsFrozen", creates: [], status: { method: "merge" } });
    const run = aRun({ spec: merging(), status: frozen.status });
    expect(decide(aTrainingWorld({ run }), config, now), "gone Adapters change nothing any more").toMatchObject({ reason: "Training" });
    const document = documentOf(run);
    expect(document).toMatchObject({
      method: "merge",
      merge: { combine: "Cat" },
      adapters: [
        { name: "left-1", repository: "rune/team/adapters", digest: digestOf("1") },
        { name: "right-2", digest: digestOf("2") },
      ],
      output: {
        repository: "rune/team/adapters",
        scope: { project: "tessera" },
        generation: 3,
        parents: [
          { name: "left-1", digest: digestOf("1") },
          { name: "right-2", digest: digestOf("2") },
        ],
      },
    });
    expect(document).not.toHaveProperty("corpus");
    expect(document).not.toHaveProperty("sft");
  });
});

describe("a control", () => {
  const control = { ...noCorpus, control: { like: "left-1" } };
  it("has the shape and the scope of what it imitates, and descends from nobody", () => {
    const frozen = decideOn(control, { adapters: [parent("left-1", { generation: 4 })] });
    const document = documentOf(aRun({ spec: control, status: frozen.status }));
    expect(document).toMatchObject({ method: "control", adapters: [{ name: "left-1" }] });
    expect(document.output).toEqual({ repository: "rune/team/adapters", scope: { project: "tessera" }, generation: 0, parents: [] });
  });
});

describe("a warm start", () => {
  const warm = (sft: object = {}) => ({ sft: { warmStart: { adapter: "left-1" }, targetModules: ["q_proj"], ...sft } });

  it.each([
    ["rank", warm({ rank: 8 }), "spec.sft.rank is 8, and the Adapter left-1 that it goes on from has 16"],
    ["alpha", warm({ alpha: 64 }), "spec.sft.alpha is 64"],
    ["modules", warm({ targetModules: ["v_proj", "q_proj"] }), "spec.sft.targetModules is q_proj, v_proj"],
  ])("with another %s is refused in words", (_, spec, words) => {
    const outcome = decideOn(spec, { adapters: [parent("left-1")] });
    expect(outcome).toMatchObject({ kind: "stalled", reason: "ShapeMismatch", creates: [] });
    expect(outcome.message).toContain(words);
  });

  it("makes a child of the adapter it goes on from, with the scope of its own corpus", () => {
    const frozen = decideOn(warm(), { adapters: [parent("left-1")] });
    const status = { ...frozen.status, corpus: { ...corpus, scope: { project: "tessera", domain: "text" } } };
    const document = documentOf(aRun({ spec: warm(), status }));
    expect(document.output).toMatchObject({ generation: 1, parents: [{ name: "left-1" }], scope: { domain: "text" } });
    expect(document.corpus).toMatchObject({ trajectories });
  });
});

describe("a hypernetwork that generates", () => {
  it.each([
    ["whose run doesn't exist", { generatorRun: undefined }, "waiting", "RunMissing"],
    ["whose run still trains", { generatorRun: houses("Reconciling") }, "waiting", "RunRunning"],
    ["whose run failed", { generatorRun: houses("Failed") }, "stalled", "RunFailed"],
    ["that a run of another method names", { generatorRun: houses("Succeeded", {}) }, "stalled", "NotAHypernetwork"],
    ["that is something else", { generatorRun: houses(), generator: { wrong: "it is an adapter" } }, "stalled", "NotAHypernetwork"],
    ["that the registry lost", { generatorRun: houses(), generator: { missing: "no such digest" } }, "stalled", "ArtifactMissing"],
    ["that can't be read now", { generatorRun: houses(), generator: { unavailable: "refused" } }, "waiting", "RegistryUnavailable"],
    ["of another base", { generatorRun: houses(), generator: generatorOf({ base: other }) }, "stalled", "BaseMismatch"],
    ["that collapsed", { generatorRun: houses(), generator: generatorOf({ collapsed: true }) }, "stalled", "ModeCollapse"],
    ["of a rank that no adapter can have", { generatorRun: houses(), generator: generatorOf({ rank: 300 }) }, "stalled", "RankTooLarge"],
  ] as [string, Partial<World>, string, string][])("%s isn't taken", (_, over, kind, reason) => {
    const outcome = decideOn(generating(), over);
    expect(outcome).toMatchObject({ kind, reason, creates: [] });
    expect(outcome.status ?? {}).not.toHaveProperty("inputs");
  });

  it("of another base is refused while its run still trains", () => {
    const training = { ...houses("Reconciling"), status: { baseDigest: other.digest } };
    expect(decideOn(generating(), { generatorRun: training })).toMatchObject({ kind: "stalled", reason: "BaseMismatch" });
  });

  it("that collapsed is taken where somebody asks for it, and by digest without any run", () => {
    const collapsed = generatorOf({ collapsed: true });
    const forced = decideOn(generating({ force: true }), { generatorRun: houses(), generator: collapsed });
    expect(forced).toMatchObject({ reason: "InputsFrozen", status: { inputs: { hypernetwork: { ...reference, collapsed: true } } } });
    expect(forced.message).toContain("whose training ended as collapsed, because spec.generate.force is true");
    const named = decideOn(generating({ hypernetwork: reference }), { generator: generatorOf() });
    expect(named).toMatchObject({
      reason: "InputsFrozen",
      status: { inputs: { hypernetwork: { ...reference, rank: 8, collapsed: false } } },
    });
  });

  it("in another namespace's repository is refused before it is read", () => {
    const spec = generating({ hypernetwork: { repository: "rune/other/hypernetworks", digest: digestOf("7") } });
    expect(decideOn(spec)).toMatchObject({ kind: "stalled", reason: "ForeignRepository", creates: [] });
  });

  it("is told to the trainer with the scope that one adapter gets, and with none where each session has its own", () => {
    const status = { inputs: { hypernetwork: { ...reference, rank: 8, collapsed: false } }, corpus };
    const toldOf = (each: string, output: object = {}) => documentOf(aRun({ spec: { ...generating({ each }), output }, status }));
    expect(toldOf("Corpus")).toMatchObject({
      generator: reference,
      adapters: [],
      output: { scope: { project: "tessera" }, generation: 0 },
    });
    expect(toldOf("Session").output).not.toHaveProperty("scope");
    expect(toldOf("Session", { scope: { project: "all" } }).output.scope).toEqual({ project: "all" });
  });

  it("makes no adapter of more sessions than one adapter has ranks for", () => {
    const status = { inputs: { hypernetwork: { ...reference, rank: 8, collapsed: false } }, corpus: { ...corpus, count: 64 } };
    const outcome = decideOn(generating(), {}, status);
    expect(outcome).toMatchObject({ kind: "stalled", reason: "RankTooLarge" });
    expect(outcome.message).toContain("rank 520");
    expect(outcome.message).toContain("spec.generate.each: Session");
    expect(decideOn(generating({ each: "Session" }), {}, status)).toMatchObject({ reason: "Training" });
  });
});

describe("the servers of the base", () => {
  const serverOf = (name: string, maxRank: 8 | 16 | 64, digest = base.digest) =>
    modelServer(name, { spec: { adapters: { slots: 4, maxRank } }, status: { baseDigest: digest } });
  const sft = { sft: { rank: 32 } };

  it("refuse a rank that none of them takes, and say which field to raise", () => {
    const outcome = decideOn(sft, { servers: [serverOf("small", 8), serverOf("large", 16)] }, { corpus });
    expect(outcome).toMatchObject({ kind: "stalled", reason: "RankTooLarge", creates: [], requeueAfterSeconds: 300 });
    expect(outcome.message).toContain("the largest of 2 ModelServers of this base (large) takes 16; raise its spec.adapters.maxRank to 32");
    expect(outcome.message).toContain("lower spec.sft.rank");
  });

  it("are content where one takes it, where none is of this base, and once a training has begun", () => {
    expect(decideOn(sft, { servers: [serverOf("small", 8), serverOf("large", 64)] }, { corpus })).toMatchObject({ reason: "Training" });
    expect(decideOn(sft, { servers: [serverOf("else", 8, other.digest)] }, { corpus })).toMatchObject({ reason: "Training" });
    const attempts = [{ number: 1, job: "tessera-a1", result: "Disrupted", startTime: "2026-11-23T11:59:00Z" }];
    expect(decideOn(sft, { servers: [serverOf("small", 8)] }, { corpus, attempts })).toMatchObject({ reason: "Training" });
  });

  it("are asked for the rank that a merge and a control will have", () => {
    const servers = [serverOf("only", 16)];
    expect(decideOn(merging(), { servers, adapters: parents() }).message).toContain(
      "rank 32, and the ModelServer of this base (only) takes 16",
    );
    expect(decideOn(merging({ combine: "Svd" }), { servers, adapters: parents() })).toMatchObject({ reason: "InputsFrozen" });
    expect(decideOn(merging({ rank: 16 }), { servers, adapters: parents() })).toMatchObject({ reason: "InputsFrozen" });
    expect(decideOn(merging({ rank: 64, combine: "Ties" }), { servers, adapters: parents() }).message).toContain("rank 64");
    const control = { ...noCorpus, control: { like: "left-1" } };
    expect(decideOn(control, { servers, adapters: [parent("left-1", { rank: 64 })] })).toMatchObject({ reason: "RankTooLarge" });
  });
});

describe("the base", () => {
  it("of a later attempt is the one of the first, or the run is stalled", () => {
    const attempts = [{ number: 1, job: "tessera-a1", result: "Disrupted", startTime: "2026-11-23T11:59:00Z" }];
    const first = decideOn({}, {}, { corpus });
    expect(first.status).toMatchObject({ baseDigest: base.digest, method: "sft" });
    const status = { corpus, attempts, baseDigest: base.digest };
    expect(decideOn({}, {}, status)).toMatchObject({ reason: "Training" });
    expect(decideOn({}, { base: other }, status)).toMatchObject({ kind: "stalled", reason: "BaseModelChanged" });
  });
});

describe("GPUs", () => {
  it("that would stand idle are refused in words", () => {
    const refused = (spec: object) => {
      const { kind, reason, message } = decideOn({ ...spec, resources: { gpus: 5 } }, { adapters: parents() });
      expect({ kind, reason }).toEqual({ kind: "stalled", reason: "TooManyGPUs" });
      return message;
    };
    expect(refused({ sft: { batchSize: 4 } })).toBe(
      "spec.resources.gpus is 5, and its GPUs divide each step's batch, which spec.sft.batchSize limits to 4: the others would stand idle; ask for 4 in a new run",
    );
    expect(refused({ sft: undefined, hypernetwork: { batchSize: 2 } })).toContain("spec.hypernetwork.batchSize limits to 2");
    const alone = "and only sft and hypernetwork work with several: the others would stand idle; ask for 1";
    expect([merging(), generating(), { ...noCorpus, control: { like: "left-1" } }].map(refused)).toEqual([
      expect.stringContaining(alone),
      expect.stringContaining(alone),
      expect.stringContaining(alone),
    ]);
  });

  it.each([{ sft: { batchSize: 4 } }, { sft: undefined, hypernetwork: { batchSize: 4 } }])("divide the work of %j", (method) => {
    const run = aRun({ spec: { ...method, resources: { gpus: 4 } }, status: { corpus } });
    expect(decide(aTrainingWorld({ run }), config, now)).toMatchObject({ reason: "Training" });
    expect(documentOf(run).workers).toBe(4);
  });

  it("are one or none to a trainer of one process", () => {
    const documents = [{}, { gpus: 0 }, { gpus: 1 }].map((resources) => documentOf(aRun({ spec: { resources }, status: { corpus } })));
    expect(documents.map(({ workers }) => workers)).toEqual([undefined, undefined, undefined]);
  });

  it("that are several talk through a /dev/shm with room, which one has no need of", () => {
    const podOf = (gpus: number) => {
      const run = aRun({ spec: { sft: { batchSize: 4 }, resources: { gpus } }, status: { corpus } });
      const objects = attemptObjects({ run, number: 1, base, config, remainingSeconds: 60 });
      return (objects.find(({ kind }) => kind === "Job") as DynamicObject).spec.template.spec;
    };
    expect(podOf(2).volumes).toContainEqual({ name: "shm", emptyDir: { medium: "Memory", sizeLimit: "1Gi" } });
    expect(podOf(2).containers[0].volumeMounts).toContainEqual({ name: "shm", mountPath: "/dev/shm" });
    expect(podOf(2).containers[0].resources.limits).toMatchObject({ "nvidia.com/gpu": "2" });
    expect(JSON.stringify(podOf(1))).not.toContain("shm");
  });
});
