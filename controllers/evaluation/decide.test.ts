import type { Outcome } from "kopf-ts";
import { describe, expect, it } from "vitest";
import { measuredAlone } from "../evidence/measurements.ts";
import { aCondition, anEvaluation, now } from "../testing/builders.ts";
import { aPlan, aWorld, found, loaded, server, serverWith } from "../testing/evaluation-world.ts";
import { config, digestOf } from "../testing/objects.ts";
import { decide, type Store } from "./decide.ts";
import type { World } from "./world.ts";

const stored: string[] = [];
const store: Store = {
  tasks: async (set, repository) => void stored.push(`${repository} ${set.tasks.length}`),
  evidence: async ({ repository, evidence }) => void stored.push(`${repository} ${evidence.adapter.name}`),
};
const startTime = "2026-11-23T11:59:00Z";
const arms = [
  { name: "base", completed: 0, total: 20 },
  { name: "adapter", completed: 0, total: 20, adapterDigest: digestOf("a") },
];
const sandbox = { pod: "held-out-es1", uid: 100001 };
const rate = (estimate: number) => ({ estimate, lower: estimate - 0.1, upper: estimate + 0.1 });
const decideOn = (over: Partial<World>): Outcome => decide(aWorld(over), config, store, now);
const measuring = (status: object = {}) =>
  anEvaluation({ status: { startTime, arms, activeArms: ["base"], epoch: 1, sandbox, ...status } });
const both = { activeArms: ["base", "adapter"], activeAdapters: ["tessera-1"] };
const apart = aPlan({ arms: aPlan().arms.map((arm) => ({ ...arm, server: { ...server, name: arm.name } })) });
const told = (output: object) => ({ state: "Ended" as const, permanent: false, reason: "", message: "", output });
const blocker = { reason: "TaskSetMissing", message: "no such digest" };

describe("an evaluation", () => {
  it("says what it misses: server, adapter, library, task set", () => {
    expect(decideOn({ servers: new Map() })).toMatchObject({ reason: "ServerMissing" });
    expect(decideOn({ adapters: new Map() })).toMatchObject({ reason: "AdapterMissing" });
    expect(decideOn({ libraryExists: false })).toMatchObject({ reason: "LibraryMissing" });
    expect(decideOn({ tasks: { blocker } })).toMatchObject({ kind: "stalled", reason: "TaskSetMissing", requeueAfterSeconds: 300 });
    expect(decideOn({ tasks: { blocker: { ...blocker, retrySeconds: 10 } } })).toMatchObject({ kind: "waiting" });
  });

  it("stalls on a task set in another namespace's own repository", () => {
    const taskSet = { repository: "rune/other/trajectories", digest: digestOf("c") };
    const evaluation = anEvaluation({ spec: { taskSet } });
    expect(decideOn({ evaluation })).toMatchObject({ kind: "stalled", reason: "ForeignRepository" });
  });

  it("stalls on a context in another namespace's own repository", () => {
    const artifact = { repository: "rune/other/trajectories", digest: digestOf("c") };
    const evaluation = anEvaluation({ spec: { arms: [{ name: "base", serverRef: { name: "coder" }, context: { artifact } }] } });
    expect(decideOn({ evaluation })).toMatchObject({ kind: "stalled", reason: "ForeignRepository" });
  });

  it("that has ended lets go what is needed no more, and writes no status", () => {
    const secret = { apiVersion: "v1", kind: "Secret", metadata: { name: "held-out-ev1", uid: "c" } };
    const evaluation = measuring({ conditions: [aCondition("Succeeded")] });
    expect(decideOn({ evaluation, cleanup: [secret] })).toMatchObject({ kind: "unchanged", deletes: [secret] });
  });

  it("stores tasks that come from elsewhere before it freezes them", async () => {
    const outcome = decideOn({ tasks: { ...found(), stored: false } });
    expect(outcome).toMatchObject({ reason: "Planning", creates: [], requeueAtOnce: true });
    await outcome.effects[0]?.run(new AbortController().signal);
    expect(stored).toEqual(["rune/team/tasks 4"]);
  });

  it("freezes what each arm answers, with which digest and on which tasks, before it starts", () => {
    const [configMap] = decideOn({}).creates;
    expect(configMap).toMatchObject({ kind: "ConfigMap", metadata: { name: "held-out-plan" }, immutable: true });
    expect(JSON.parse(configMap?.data["plan.json"])).toEqual(aPlan());
    expect(decideOn({ plan: aPlan() }).status).toMatchObject({ startTime: "2026-11-23T12:00:00Z", arms, taskSet: aPlan().taskSet });
  });

  it("goes on by what was frozen, whatever became of the tasks and adapters", () => {
    const evaluation = anEvaluation({ status: { startTime, arms } });
    expect(decideOn({ evaluation, plan: aPlan(), tasks: undefined }).status).toMatchObject({ activeArms: ["base", "adapter"] });
  });

  it("fails where what it froze is gone: it would mix two measurements", () => {
    const each = { name: "each", serverRef: { name: "coder" }, adapters: { matchLabels: { by: "h" } } };
    const evaluation = anEvaluation({ spec: { arms: [each] }, status: { startTime, arms } });
    expect(decideOn({ evaluation })).toMatchObject({ kind: "failed", reason: "PlanLost" });
  });

  it("says how many tasks of an arm have an adapter, and how many the base answers", () => {
    const batches = [{ adapters: ["a", "b"], looks: [1] }];
    const plan = aPlan({ arms: [{ name: "base", adapters: [], server, assigned: { t0: "a", t1: "b", t2: "a" }, batches }] });
    expect(decideOn({ plan }).status).toMatchObject({ arms: [{ name: "base", assigned: 3, unassigned: 1, total: 20 }] });
  });

  it("claims what its arms answer with, and waits until each adapter is loaded", () => {
    expect(decideOn({ evaluation: anEvaluation({ status: { startTime, arms } }), plan: aPlan() }).status).toEqual(both);
    expect(decideOn({ evaluation: measuring(both), plan: aPlan(), servers: new Map([["coder", serverWith()]]) })).toMatchObject({
      kind: "waiting",
      reason: "AdapterLoading",
    });
  });

  it("fails when the server refuses an arm's adapter: the other arms alone would say nothing", () => {
    const servers = new Map([["coder", serverWith([{ ...loaded, state: "Refused", message: "a weight is NaN" }])]]);
    expect(decideOn({ evaluation: measuring(both), plan: aPlan(), servers })).toMatchObject({
      kind: "failed",
      reason: "AdapterRefused",
      message: expect.stringContaining("NaN"),
    });
  });

  it("freezes an arm's numbers, and gives one that has no place beside it an epoch of its own", () => {
    const worker = told({ arms: [{ name: "base", passAt1: rate(0.2), completed: 20 }] });
    const outcome = decideOn({ evaluation: measuring(), plan: apart, worker });
    expect(outcome.status).toMatchObject({
      activeArms: ["adapter"],
      epoch: 2,
      sandbox: { pod: "held-out-es2", uid: 100001 },
      arms: [{ completed: 20, passAt1: { estimate: "0.200" } }, { completed: 0 }],
    });
  });

  it("goes on in the next epoch when the evaluator is lost, with the same arms", () => {
    const outcome = decideOn({
      evaluation: measuring(both),
      plan: aPlan(),
      worker: { state: "Ended", permanent: false, reason: "EpochLost", message: "its pod vanished" },
    });
    expect(outcome.status).toMatchObject({ epoch: 2 });
    expect(outcome.status).not.toHaveProperty("activeArms");
  });

  it("fails after twenty lost epochs in a row, whether evaluators or sandboxes were lost", () => {
    const losses = { count: 19, time: startTime, progress: 0 };
    const sandbox = { state: "Gone" as const, message: "it exited with 78" };
    const twentieth = decideOn({ evaluation: measuring({ ...both, losses }), plan: aPlan(), sandbox });
    expect(twentieth.status).toMatchObject({ losses: { count: 20, message: "it exited with 78" } });
    expect(
      decideOn({ evaluation: measuring({ ...both, losses: { ...losses, count: 20, message: "it exited with 78" } }), plan: aPlan() }),
    ).toMatchObject({
      kind: "failed",
      reason: "EpochsExhausted",
      message: expect.stringContaining("it exited with 78"),
    });
  });

  it.each([
    ["Passed", "True"],
    ["Failed", "False"],
    ["Inconclusive", "Unknown"],
  ])("ends Ready whatever the verdict: %s is GatePassed=%s", (verdict, status) => {
    const report = { repository: "rune/team/reports", digest: digestOf("e") };
    const outcome = decideOn({
      evaluation: measuring(both),
      plan: aPlan(),
      worker: told({
        arms: [
          { name: "base", passAt1: rate(0.2), completed: 20 },
          { name: "adapter", passAt1: rate(0.5), completed: 20 },
        ],
        delta: { estimate: 30, lower: 10, upper: 50 },
        verdict,
        why: "so it is",
        report,
      }),
    });
    expect(outcome).toMatchObject({ kind: "succeeded", status: { verdict, report, delta: { estimate: "30.0" } } });
    expect(outcome.status).toMatchObject({ arms: [{ passAt1: { estimate: "0.200" } }, { passAt1: { estimate: "0.500" } }] });
    expect(outcome.message).toContain("arms base, adapter: base Pass@1 0.200 [0.100, 0.300]; adapter Pass@1 0.500 [0.400, 0.600]");
    expect(outcome.conditions).toContainEqual(
      expect.objectContaining({ type: "GatePassed", status, message: "gain 30.0 points [10.0, 50.0]; so it is" }),
    );
  });

  const reported = {
    evaluation: measuring({ activeArms: ["adapter"] }),
    plan: aPlan(),
    worker: told({
      arms: [{ name: "adapter", passAt1: rate(0.5), completed: 20 }],
      report: { repository: "rune/team/reports", digest: digestOf("e") },
    }),
  };
  const [measured] = measuredAlone(
    anEvaluation({ status: { arms: [{ ...arms[1], passAt1: { estimate: "0.5", lower: "0.4", upper: "0.6" } }] } }),
    startTime,
  );
  const unstored = measured ? [{ repository: "rune/team/adapters", evidence: measured }] : [];

  it("stores what was measured with the adapters before it ends, and ends once it is there", async () => {
    const outcome = decideOn({ ...reported, evidence: { unstored, refused: [] } });
    expect(outcome).toMatchObject({ kind: "progressing", reason: "StoringEvidence", status: undefined, requeueAtOnce: true });
    stored.length = 0;
    for (const effect of outcome.effects) await effect.run(new AbortController().signal);
    expect(stored).toEqual(["rune/team/adapters tessera-1"]);
    expect(decideOn(reported)).toMatchObject({ kind: "succeeded", effects: [] });
  });

  it("waits for the registry with it, but not beyond its deadline: what was measured isn't lost for that", () => {
    const away = { ...reported, evidence: { unavailable: "refused" } };
    expect(decideOn(away)).toMatchObject({ kind: "waiting", reason: "RegistryUnavailable", requeueAfterSeconds: 10 });
    const late = decide(aWorld(away), config, store, new Date("2027-01-01T00:00:00Z"));
    expect(late).toMatchObject({ kind: "succeeded", status: { report: { digest: digestOf("e") } } });
    expect(late.events).toContainEqual(expect.objectContaining({ type: "Warning", reason: "EvidenceMissing" }));
  });

  it("ends though the tag of its evidence is somebody else's, and says so", () => {
    const outcome = decideOn({ ...reported, evidence: { unstored: [], refused: ["rune/team/adapters:x leads elsewhere"] } });
    expect(outcome.kind).toBe("succeeded");
    expect(outcome.events).toContainEqual(
      expect.objectContaining({ reason: "EvidenceMissing", note: expect.stringContaining("x leads elsewhere") }),
    );
  });

  it("fails at its deadline and when its evaluator refuses its input", () => {
    expect(decide(aWorld({ evaluation: measuring(both), plan: aPlan() }), config, store, new Date("2027-01-01T00:00:00Z"))).toMatchObject({
      kind: "failed",
      reason: "DeadlineExceeded",
    });
    expect(
      decideOn({
        evaluation: measuring(both),
        plan: aPlan(),
        worker: { state: "Ended", permanent: true, reason: "IsolationUnproven", message: "canary reached" },
      }),
    ).toMatchObject({ kind: "failed", reason: "IsolationUnproven" });
  });

  it("waits while the log can't be read", () => {
    expect(decideOn({ evaluation: measuring(both), log: { unavailable: "refused" } })).toMatchObject({
      kind: "waiting",
      reason: "LogUnavailable",
    });
  });
});
