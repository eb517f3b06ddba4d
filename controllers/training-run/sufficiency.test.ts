import { trainerJob } from "@rune/crds/contracts/trainer";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import { describe, expect, it } from "vitest";
import { aCondition, aRun, aSession, aTrainingWorld, now } from "../testing/builders.ts";
import { adapter, config, digestOf } from "../testing/objects.ts";
import { decide } from "./decide.ts";
import { trainerDocument } from "./manifests.ts";
import { adaptersOfOneTrajectory } from "./reconstruction-targets.ts";
import type { World } from "./world.ts";

/** Too small a corpus is reported, with a message and before a GPU is requested. */
const base = { name: "m", digest: digestOf("d") };
const hex = (n: number) => `sha256:${n.toString(16).padStart(64, "0")}`;

/** Ended sessions that alternate between `tasks` distinct tasks. */
const sessionsOf = (count: number, tasks = count, outcome = "Solved") =>
  Array.from({ length: count }, (_, n) =>
    aSession({
      name: `s${n}`,
      spec: { task: { id: `t${n}`, description: `Write  solve${n % tasks}(x).`, tests: "assert solve(1) == 1", entryPoint: "solve" } },
      status: {
        outcome,
        trajectory: { repository: "rune/team/trajectories", digest: hex(n + 1) },
        conditions: [aCondition("Succeeded")],
      },
    }),
  );
const hypernetwork = (over: object = {}) => ({ sft: undefined, hypernetwork: over });
const decideOn = (spec: object, over: Partial<World> = {}) => decide(aTrainingWorld({ run: aRun({ spec }), ...over }), config, now);
const corrections = { corpus: { sessions: { matchLabels: {} }, include: ["Programs", "Corrections"] } };

describe("a hypernetwork's corpus", () => {
  it("is waited for while too few sessions match, and what is missing is a condition", () => {
    const outcome = decideOn(hypernetwork(), { sessions: sessionsOf(20) });
    expect(outcome).toMatchObject({
      kind: "waiting",
      reason: "CorpusTooSmall",
      message: "20 sessions match, spec.hypernetwork.minimumPairs asks for at least 50",
    });
    expect(outcome.conditions).toMatchObject([{ type: "CorpusSufficient", status: "False", reason: "CorpusTooSmall" }]);
  });

  it("isn't enough with too few solved sessions, and how many more are missing is said", () => {
    const sessions = sessionsOf(60).map((session, n) =>
      n < 20 ? { ...session, status: { ...session.status, outcome: "Exhausted" as const } } : session,
    );
    const outcome = decideOn(hypernetwork(), { sessions });
    expect(outcome).toMatchObject({ kind: "stalled", reason: "CorpusTooSmall", creates: [] });
    expect(outcome.message).toContain("40 of 60 sessions ended solved, spec.hypernetwork.minimumPairs asks for 50; 10 more are missing");
    expect(outcome.conditions).toMatchObject([{ type: "CorpusSufficient", status: "False" }]);
  });

  it("isn't enough where its sessions are of few tasks, however many they are", () => {
    const outcome = decideOn(hypernetwork(), { sessions: sessionsOf(60, 24) });
    expect(outcome).toMatchObject({ kind: "stalled", reason: "CorpusTooUniform" });
    expect(outcome.message).toContain("the 60 solved sessions are of 24 distinct tasks, and a hypernetwork needs 25");
    expect(decideOn(hypernetwork(), { sessions: sessionsOf(60, 25) })).toMatchObject({
      reason: "CorpusFrozen",
      status: { method: "hypernetwork", corpus: { count: 60, solved: 60, tasks: 25 } },
    });
  });

  it("is frozen with the adapters that were fine-tuned from one trajectory alone, and its trainer is told of them", () => {
    const pairs = new Map([[hex(2), { repository: "rune/team/adapters", digest: digestOf("a") }]]);
    const spec = hypernetwork({ minimumPairs: 2 });
    const frozen = decideOn(spec, { sessions: sessionsOf(3), pairs });
    const document = trainerJob.parse(
      trainerDocument({ run: aRun({ spec, status: frozen.status }), number: 1, base, config, remainingSeconds: 60 }),
    );
    expect(document.corpus?.trajectories.map((each) => each.adapter?.digest)).toEqual([undefined, digestOf("a"), undefined]);
    expect(document.output).toEqual({ repository: "rune/team/hypernetworks", generation: 0, parents: [] });
    expect(document).not.toHaveProperty("sft");
  });

  it("needs those adapters where it imitates them", () => {
    const spec = hypernetwork({ minimumPairs: 2, objective: "Reconstruction" });
    const pairs = new Map([[hex(2), { repository: "rune/team/adapters", digest: digestOf("a") }]]);
    const outcome = decideOn(spec, { sessions: sessionsOf(3), pairs });
    expect(outcome).toMatchObject({ kind: "stalled", reason: "AdaptersTooFew" });
    expect(outcome.message).toContain(
      "1 of 3 trajectories have an adapter that was fine-tuned from them alone, and Reconstruction needs 3",
    );
    const all = new Map([1, 2, 3].map((n) => [hex(n), { repository: "rune/team/adapters", digest: digestOf(String(n)) }]));
    expect(decideOn(spec, { sessions: sessionsOf(3), pairs: all })).toMatchObject({ reason: "CorpusFrozen" });
  });
});

describe("learning from corrections", () => {
  it("needs a hundred distinct tasks that were solved", () => {
    const outcome = decideOn(corrections, { sessions: sessionsOf(120, 99) });
    expect(outcome).toMatchObject({ kind: "stalled", reason: "CorpusTooSmall" });
    expect(outcome.message).toContain("99 distinct tasks were solved, and learning from corrections needs 100");
    expect(decideOn(corrections, { sessions: sessionsOf(120, 100) })).toMatchObject({ reason: "CorpusFrozen" });
    expect(decideOn({}, { sessions: sessionsOf(3) }), "programs alone need none of that").toMatchObject({ reason: "CorpusFrozen" });
  });

  it("is no matter of a hypernetwork that only generates", () => {
    const spec = { sft: undefined, generate: { hypernetwork: { run: "houses" } }, ...corrections };
    const status = { inputs: { hypernetwork: { repository: "r", digest: digestOf("7"), rank: 8, collapsed: false } } };
    const world = aTrainingWorld({ run: aRun({ spec, status }), sessions: sessionsOf(2) });
    expect(decide(world, config, now)).toMatchObject({ reason: "CorpusFrozen" });
  });
});

describe("a corpus in the registry", () => {
  const artifact = { repository: "rune/team/corpora", digest: digestOf("c") };
  const of = (spec: object, corpusArtifact: World["corpusArtifact"]) => decideOn({ ...spec, corpus: { artifact } }, { corpusArtifact });

  it("is frozen by its own digest with no figure that nobody counted", () => {
    const outcome = of({}, { counted: {} });
    expect(outcome).toMatchObject({ reason: "CorpusFrozen" });
    expect(outcome.status).toEqual({ corpus: { digest: artifact.digest, trajectories: [artifact] }, method: "sft" });
    expect(outcome.message).toContain("a corpus that doesn't say how much is in it");
    expect(of({}, { counted: { count: 200, solved: 180 } })).toMatchObject({ status: { corpus: { count: 200, solved: 180 } } });
  });

  it("is held to what it says of itself, and to no more", () => {
    expect(of(hypernetwork(), { counted: { count: 60, solved: 40 } })).toMatchObject({ kind: "stalled", reason: "CorpusTooSmall" });
    expect(of(hypernetwork(), { counted: {} })).toMatchObject({ reason: "CorpusFrozen" });
    expect(of({}, { counted: { count: 1, solved: 0 } })).toMatchObject({ kind: "stalled", reason: "CorpusTooSmall" });
  });

  it.each([
    ["can't be read now", { unavailable: "refused" }, "waiting", "RegistryUnavailable"],
    ["is gone", { missing: "no such digest" }, "stalled", "ArtifactMissing"],
    ["is something else", { wrong: "it is a model" }, "stalled", "NotACorpus"],
  ] as [string, World["corpusArtifact"], string, string][])("that %s isn't frozen", (_, found, kind, reason) => {
    const outcome = of({}, found);
    expect(outcome).toMatchObject({ kind, reason });
    expect(outcome.requeueAfterSeconds, "it is looked at again").toBeGreaterThan(0);
    expect(outcome.status ?? {}).not.toHaveProperty("corpus");
  });
});

describe("a corpus that only its trainer could count", () => {
  it.each(["CorpusInsufficient", "EmptyCorpus"])("is told as insufficient by the same condition when that refuses it: %s", (reason) => {
    const corpus = { digest: digestOf("c"), trajectories: [] };
    const message = "the solved trajectories are of 2 scopes or tasks, and 4 are needed";
    const attempts = [{ number: 1, job: "tessera-a1", result: "Refused", reason, message, startTime: "2026-11-23T11:59:00Z" }];
    const outcome = decide(aTrainingWorld({ run: aRun({ spec: hypernetwork(), status: { corpus, attempts } }) }), config, now);
    expect(outcome).toMatchObject({ kind: "failed", reason, message });
    expect(outcome.conditions).toEqual([{ type: "CorpusSufficient", status: "False", reason, message }]);
  });
});

describe("the adapter of one trajectory", () => {
  const trajectory = { repository: "rune/team/trajectories", digest: hex(1) };
  const made = (name: string, digit: string, over: { spec?: object; corpus?: object; conditions?: object[] } = {}): TrainingRun => {
    const status = {
      corpus: { digest: digestOf("e"), count: 1, solved: 1, trajectories: [trajectory], ...over.corpus },
      adapter: `a-${digit}`,
      conditions: over.conditions ?? [aCondition("Succeeded")],
    };
    const run = aRun({ ...(over.spec && { spec: over.spec }), status });
    return { ...run, metadata: { ...run.metadata, name } };
  };
  const adapters = ["1", "2"].map((digit) =>
    adapter(`a-${digit}`, { spec: { base, artifact: { repository: "rune/team/adapters", digest: digestOf(digit), sizeBytes: 9 } } }),
  );
  const found = (runs: TrainingRun[], digest = base.digest) =>
    adaptersOfOneTrajectory(digest, runs, adapters).get(trajectory.digest)?.digest;

  it("is the newest that an sft run made of it and of nothing else", () => {
    const later = made("later", "2");
    const newer = { ...later, metadata: { ...later.metadata, creationTimestamp: "2026-11-23T11:30:00Z" } };
    expect(found([newer, made("first", "1")])).toBe(digestOf("2"));
  });

  it.each([
    ["of a run that hasn't succeeded", made("r", "1", { conditions: [] })],
    ["that learnt from more", made("r", "1", { corpus: { count: 2, trajectories: [trajectory, { ...trajectory, digest: hex(2) }] } })],
    ["of an artifact with many sessions", made("r", "1", { corpus: { count: 60 } })],
    ["that was generated", made("r", "1", { spec: { sft: undefined, generate: { hypernetwork: { run: "h" } } } })],
    ["that went on from another", made("r", "1", { spec: { sft: { warmStart: { adapter: "a-2" } } } })],
  ])("is none %s", (_, run) => {
    expect(found([run])).toBeUndefined();
  });

  it("is none of another base", () => {
    expect(found([made("r", "1")])).toBe(digestOf("1"));
    expect(found([made("r", "1")], digestOf("9"))).toBeUndefined();
  });
});
