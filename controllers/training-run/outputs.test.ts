import type { AdapterConfig } from "@rune/crds/contracts/artifact";
import type { TrainerResult } from "@rune/crds/contracts/trainer";
import { trainingRun } from "@rune/crds/kinds/training-run";
import { nextStatus } from "kopf-ts";
import { describe, expect, it } from "vitest";
import { generatedName } from "../shared/names.ts";
import { aJob, aPod, aRun, aTrainingWorld, now } from "../testing/builders.ts";
import { config, digestOf } from "../testing/objects.ts";
import { decide } from "./decide.ts";
import type { Artifact, World } from "./world.ts";

/** Results of stored artifacts: one Adapter, one per session, or none. */
const attempt = { number: 1, job: "tessera-a1", result: "Running", startTime: "2026-11-23T11:59:00Z" };
const corpus = { digest: digestOf("e"), count: 60, solved: 60, tasks: 60, trajectories: [] };
const hypernetwork = { sft: undefined, hypernetwork: {} };
const sessions = { sft: undefined, generate: { hypernetwork: { run: "houses" }, each: "Session" } };
const told: TrainerResult = {
  repository: "rune/team/hypernetworks",
  digest: digestOf("a"),
  sizeBytes: 10,
  examples: 400,
  steps: 300,
  trainingLoss: 0.12345678,
  deltaWNorm: 2,
  durationSeconds: 3,
  metrics: { cosineDiversity: 0.4321987, rightMinusWrong: -0.002, ofNoStatus: 7 },
};
const runOf = (spec: object, status: object = {}) => aRun({ spec, status: { corpus, attempts: [attempt], ...status } });
const job = aJob("tessera-a1", "Complete");
const endedWith = (spec: object, result: object) =>
  decide(
    aTrainingWorld({ run: runOf(spec), job, pods: [aPod(job, "trainer", { exitCode: 0, message: JSON.stringify(result) })] }),
    config,
    now,
  );
const configOf = (over: object = {}) =>
  ({ base: { name: "m", digest: digestOf("d") }, source: { kind: "TrainingRun" }, collapsed: false, ...over }) as never;
const hypernetworkArtifact = (over: object = {}, annotations = {}): NonNullable<World["artifact"]> => ({
  artifact: { kind: "Hypernetwork", digest: digestOf("a"), sizeBytes: 10, annotations, config: configOf(over) },
});

describe("what a trainer told", () => {
  it("is kept in status as far as status knows it, in a form that the API server takes", () => {
    const { status } = endedWith(hypernetwork, { ...told, weights: [0.5, 1 / 3], collapsed: "x".repeat(500) });
    expect(status).toMatchObject({
      result: {
        repository: "rune/team/hypernetworks",
        steps: 300,
        trainingLoss: "0.123457",
        metrics: { cosineDiversity: "0.4322", rightMinusWrong: "-0.002000", weights: "0.5, 0.3333" },
        collapsed: "x".repeat(500),
      },
    });
    expect((status as { result: { metrics: object } }).result.metrics).not.toHaveProperty("ofNoStatus");
    expect(trainingRun.status.safeParse(JSON.parse(JSON.stringify(status))).error).toBeUndefined();
  });

  it("says how varied the corpus is that it has read, in status and in the condition on the corpus", () => {
    const outcome = endedWith(hypernetwork, {
      ...told,
      metrics: { distinctTasks: 41, failureModes: 3, corrections: 29, droppedPercent: 12.5 },
    });
    expect(outcome.status).toMatchObject({
      result: { metrics: { distinctTasks: 41, failureModes: 3, corrections: 29, droppedPercent: "12.50" } },
    });
    expect(trainingRun.status.safeParse(JSON.parse(JSON.stringify(outcome.status))).error).toBeUndefined();
    expect(outcome.conditions).toEqual([
      {
        type: "CorpusSufficient",
        status: "True",
        reason: "CorpusFrozen",
        message:
          "60 sessions, 60 of them solved, 60 distinct tasks; its solved trajectories have 41 distinct tasks, 3 classes of errors and 29 distinct corrections",
      },
    ]);
  });

  it("says nothing of the corpus where the method counts none of it", () => {
    expect(endedWith(sessions, { ...told, metrics: undefined }).conditions).toEqual([]);
  });

  it("has no loss where there was no step", () => {
    const { status } = endedWith({ ...hypernetwork }, { ...told, steps: 0, trainingLoss: 0 });
    expect((status as { result: object }).result).not.toHaveProperty("trainingLoss");
  });

  it("is read from the artifact where its message was lost", () => {
    const annotations = {
      "dev.rune.training.steps": "300",
      "dev.rune.training.metrics": '{"rightMinusWrong":-0.002,"distinctTasks":41,"failureModes":3,"corrections":29}',
      "dev.rune.training.collapsed": '"right minus wrong was -0.002"',
      "dev.rune.training.trainingLoss": "not JSON",
    };
    const world = aTrainingWorld({ run: runOf(hypernetwork), job, artifact: hypernetworkArtifact({ collapsed: true }, annotations) });
    const outcome = decide(world, config, now);
    expect(outcome.conditions).toMatchObject([{ type: "CorpusSufficient", message: expect.stringContaining("3 classes of errors") }]);
    expect(outcome.status).toMatchObject({
      attempts: [{ result: "Succeeded" }],
      result: {
        repository: "rune/team/hypernetworks",
        digest: digestOf("a"),
        steps: 300,
        metrics: { rightMinusWrong: "-0.002000" },
        collapsed: "right minus wrong was -0.002",
      },
    });
  });
});

describe("a hypernetwork", () => {
  const result = { repository: "rune/team/hypernetworks", digest: digestOf("a"), sizeBytes: 10 };
  const published = (more: object, artifact = hypernetworkArtifact()) =>
    decide(aTrainingWorld({ run: runOf(hypernetwork, { result: { ...result, ...more } }), artifact }), config, now);

  it("ends its run without an Adapter, and says that no alarm tripped, with the figures", () => {
    const outcome = published({ metrics: { rightMinusWrong: "0.3", cosineDiversity: "0.4" } });
    expect(outcome).toMatchObject({ kind: "succeeded", reason: "HypernetworkStored", creates: [] });
    expect(outcome.message).toBe(`learnt 60 sessions into the hypernetwork rune/team/hypernetworks@${digestOf("a")}`);
    expect(outcome.conditions).toEqual([
      {
        type: "ModeCollapse",
        status: "False",
        reason: "NoAlarm",
        message: "no alarm ended the training (rightMinusWrong 0.3, cosineDiversity 0.4)",
      },
    ]);
  });

  it("that collapsed ends its run well and says so: a negative result is a result", () => {
    const outcome = published({ collapsed: "right minus wrong was -0.01 nats", metrics: { rightMinusWrong: "-0.01" } });
    expect(outcome).toMatchObject({ kind: "succeeded", reason: "HypernetworkStored" });
    expect(outcome.conditions).toMatchObject([
      { type: "ModeCollapse", status: "True", message: expect.stringContaining("-0.01 nats (rightMinusWrong -0.01)") },
    ]);
    expect(outcome.events).toContainEqual(expect.objectContaining({ type: "Warning", reason: "ModeCollapse" }));
    const status = nextStatus(runOf(hypernetwork, { result }), outcome, now) as { conditions: { type: string }[] };
    expect(status.conditions.map(({ type }) => type)).toEqual(expect.arrayContaining(["Ready", "Succeeded", "ModeCollapse"]));
  });

  it("counts as collapsed where only its artifact says so", () => {
    expect(published({}, hypernetworkArtifact({ collapsed: true })).conditions).toMatchObject([{ type: "ModeCollapse", status: "True" }]);
  });
});

describe("an index of adapters", () => {
  const digests = Array.from({ length: 45 }, (_, n) => `sha256:${(n + 1).toString(16).padStart(16, "0").padEnd(64, "0")}`);
  const result = { repository: "rune/team/adapters", digest: digestOf("a"), sizeBytes: 10, adapters: 45 };
  const run = runOf(sessions, { result, attempts: [{ ...attempt, result: "Succeeded", endTime: "2026-11-23T11:59:30Z" }] });
  const artifact: Artifact = { kind: "Adapters", digest: digestOf("a"), sizeBytes: 10, annotations: {}, members: digests };
  const adapterConfig: AdapterConfig = {
    schema: "rune.dev/adapter/v1",
    base: { name: "m", digest: digestOf("d") },
    rank: 16,
    alpha: 16,
    targetModules: ["down_proj"],
    scope: { project: "tessera", domain: "text" },
    source: { kind: "TrainingRun", name: "tessera", uid: run.metadata.uid },
    parents: [],
    generation: 0,
    session: { namespace: "team", name: "s1", uid: "u" },
    files: {},
  };
  const nameOf = (digest: string) => generatedName(run.metadata, digest);
  const batch = (...wanted: string[]) => ({ members: wanted.map((digest) => ({ digest, sizeBytes: 7, config: adapterConfig })) });
  const pass = (created: readonly string[], members: World["members"], at = now) =>
    decide(aTrainingWorld({ run, artifact: { artifact }, created: new Set(created.map(nameOf)), members }), config, at);

  it("becomes one Adapter for each session, with its session's name and scope, a batch a pass", () => {
    const outcome = pass(digests.slice(0, 3), batch(digests[3] ?? "", digests[4] ?? ""));
    expect(outcome).toMatchObject({ reason: "Publishing", status: { adapters: { created: 3, total: 45 } }, requeueAfterSeconds: 1 });
    expect(outcome.creates.map(({ metadata }) => metadata.name)).toEqual([digests[3], digests[4]].map((digest) => nameOf(digest ?? "")));
    expect(outcome.creates[0]).toMatchObject({
      kind: "Adapter",
      metadata: {
        labels: {
          "rune.dev/run": "tessera",
          "rune.dev/method": "generate",
          "rune.dev/session": "s1",
          "rune.dev/project": "tessera",
          "rune.dev/domain": "text",
        },
      },
      spec: { artifact: { repository: "rune/team/adapters", digest: digests[3], sizeBytes: 7 }, scope: adapterConfig.scope },
    });
    expect(outcome.creates[0]?.metadata.ownerReferences).toBeUndefined();
  });

  it("ends the run once every one of them exists", () => {
    const outcome = pass(digests, undefined);
    expect(outcome).toMatchObject({
      kind: "succeeded",
      reason: "AdapterCreated",
      status: { adapters: { created: 45, total: 45 } },
      creates: [],
    });
    expect(outcome.message).toBe("generated, from 60 sessions, 45 Adapters");
    expect(outcome.status).not.toHaveProperty("adapter");
  });

  it("of one session names its Adapter, as every run does that makes one alone", () => {
    const [only = ""] = digests;
    const single = { artifact: { ...artifact, members: [only] } };
    const outcome = decide(aTrainingWorld({ run, artifact: single, created: new Set([nameOf(only)]), members: undefined }), config, now);
    expect(outcome).toMatchObject({ kind: "succeeded", status: { adapters: { created: 1, total: 1 }, adapter: nameOf(only) } });
    expect(outcome.message).toContain(`the Adapter ${nameOf(only)}`);
  });

  it("waits for a registry that is unavailable, and for ten minutes for an adapter that isn't found", () => {
    expect(pass([], { unavailable: "refused" })).toMatchObject({ kind: "waiting", reason: "RegistryUnavailable" });
    expect(pass([], { missing: "404" })).toMatchObject({ kind: "waiting", reason: "ArtifactMissing" });
    expect(pass([], { missing: "404" }, new Date("2026-11-23T12:10:00Z"))).toMatchObject({ kind: "failed", reason: "ArtifactMissing" });
  });

  it("is adopted where the last words of its trainer were lost", () => {
    const world = aTrainingWorld({ run: runOf(sessions), job, artifact: { artifact } });
    expect(decide(world, config, now).status).toMatchObject({
      attempts: [{ result: "Succeeded" }],
      result: { repository: "rune/team/adapters", digest: digestOf("a"), adapters: 45 },
    });
  });
});

describe("a control adapter", () => {
  it("is marked as one, and a merge says what it was made of", () => {
    const result = { repository: "rune/team/adapters", digest: digestOf("a"), sizeBytes: 10 };
    const artifact = {
      artifact: { kind: "Adapter", digest: digestOf("a"), sizeBytes: 10, annotations: {}, config: configOf({ control: true, scope: {} }) },
    } as NonNullable<World["artifact"]>;
    const spec = { sft: undefined, corpus: undefined, control: { like: "x-1" } };
    const [made] = decide(aTrainingWorld({ run: runOf(spec, { result }), artifact }), config, now).creates;
    expect(made).toMatchObject({ kind: "Adapter", spec: { control: true } });
    const created = new Set([generatedName(runOf(spec).metadata, digestOf("a"))]);
    const merge = { sft: undefined, corpus: undefined, merge: { adapters: ["x-1", "y-2"] } };
    expect(decide(aTrainingWorld({ run: runOf(merge, { result }), artifact, created }), config, now)).toMatchObject({
      kind: "succeeded",
      message: expect.stringContaining("merged 2 adapters into the Adapter tessera-"),
    });
  });
});
