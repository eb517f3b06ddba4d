import type { Adapter } from "@rune/crds/adapter";
import { type TaskSet, taskSet } from "@rune/crds/artifact";
import type { ModelServer } from "@rune/crds/model-server";
import type { Outcome } from "kopf-ts";
import { describe, expect, it } from "vitest";
import { aCondition, anEvaluation, now } from "../testing/builders.ts";
import { config, digestOf } from "../testing/objects.ts";
import { measuredTasks } from "./arms.ts";
import { decide } from "./decide.ts";
import { summarize, type World } from "./world.ts";

const serverWith = (adapters: object[] = []) =>
  ({
    metadata: { name: "coder" },
    spec: { base: { oci: { repository: "rune/models/m", digest: digestOf("b") } } },
    status: { conditions: [aCondition("Ready")], adapters },
  }) as unknown as ModelServer;
const loaded = { name: "tessera-1", digest: digestOf("a"), state: "Loaded", engines: 1 };
const adapter = { spec: { artifact: { digest: digestOf("a") } } } as unknown as Adapter;
const startTime = "2026-11-23T11:59:00Z";
const arms = [
  { name: "base", completed: 0, total: 20 },
  { name: "adapter", completed: 0, total: 20, adapterDigest: digestOf("a") },
];
const sandbox = { pod: "held-out-es1", uid: 100001 };
const measured = { digest: digestOf("c"), tasks: 4, scope: { project: "tessera" } };
const rate = (estimate: number) => ({ estimate, lower: estimate - 0.1, upper: estimate + 0.1 });

function aWorld(over: Partial<World> = {}): World {
  const nothing = { sandboxPod: undefined, job: undefined, targets: undefined, credentials: undefined };
  const fine = {
    requirements: [],
    servers: new Map([["coder", serverWith([loaded])]]),
    adapters: new Map([["tessera-1", adapter]]),
    libraryExists: true,
    tasks: { measured, clusters: 4 },
    takenUIDs: new Set<number>(),
    progress: 0,
    leftovers: [],
    runnerToken: "t",
  };
  return {
    evaluation: anEvaluation(),
    sandbox: { state: "Absent" },
    worker: { state: "Absent" },
    log: summarize([]),
    ...nothing,
    ...fine,
    ...over,
  };
}
const decideOn = (over: Partial<World>): Outcome => decide(aWorld(over), config, now);
const measuring = (status: object = {}) => anEvaluation({ status: { startTime, arms, activeArm: "base", epoch: 1, sandbox, ...status } });
const told = (output: object) => ({ state: "Ended" as const, permanent: false, reason: "", message: "", output });

describe("an evaluation", () => {
  it("says what it misses: server, adapter, library, task set", () => {
    expect(decideOn({ servers: new Map() })).toMatchObject({ reason: "ServerMissing" });
    expect(decideOn({ adapters: new Map() })).toMatchObject({ reason: "AdapterMissing" });
    expect(decideOn({ libraryExists: false })).toMatchObject({ reason: "LibraryMissing" });
    expect(decideOn({ tasks: { missing: "no such digest" } })).toMatchObject({
      kind: "stalled",
      reason: "TaskSetMissing",
      requeueAfterSeconds: 300,
    });
    expect(decideOn({ tasks: { unreadable: "x is no task set" } })).toMatchObject({ kind: "stalled", reason: "NotATaskSet" });
    expect(decideOn({ tasks: { unavailable: "refused" } })).toMatchObject({ kind: "waiting", reason: "RegistryUnavailable" });
  });

  it("stalls on a task set in another namespace's own repository", () => {
    const taskSet = { repository: "rune/other/trajectories", digest: digestOf("c") };
    const evaluation = anEvaluation({ spec: { taskSet } });
    expect(decideOn({ evaluation, tasks: { unavailable: "refused" } })).toMatchObject({ kind: "stalled", reason: "ForeignRepository" });
  });

  it("freezes what each arm answers, with which digest and on which tasks, before it starts", () => {
    expect(decideOn({}).status).toMatchObject({ startTime: "2026-11-23T12:00:00Z", arms, taskSet: measured });
  });

  it.each([
    ["fewer clusters than the gate asks for", 30, 29, true],
    ["fewer than any gate takes", 1, 9, true],
    ["enough", 30, 30, false],
  ])("says before it starts that no verdict will come of %s", (_, minimumTasks, clusters, said) => {
    const gate = { candidate: "adapter", baseline: "base", rule: "LowerBound" as const, thresholdPoints: 5, minimumTasks };
    const { conditions } = decideOn({ evaluation: anEvaluation({ spec: { gate } }), tasks: { measured, clusters } });
    const condition = { type: "GatePassed", status: "Unknown", reason: "TooFewTasks", message: expect.stringContaining("more clusters") };
    expect(conditions).toEqual(said ? expect.arrayContaining([expect.objectContaining(condition)]) : []);
  });

  const task = { id: "t", description: "d", tests: "assert f() == 1", entryPoint: "f" };
  const setOf = (...scopes: (object | undefined)[]) =>
    taskSet.parse({ schema: "rune.dev/taskset/v1", name: "s", tasks: scopes.map((scope, n) => ({ ...task, id: `t${n}`, scope })) });
  const tessera = { project: "tessera" };
  it.each<[string, TaskSet, number | undefined, object]>([
    ["the whole of a set of one scope", setOf(tessera, tessera), undefined, { tasks: 2, scope: tessera }],
    ["no more than there is", setOf(tessera, tessera), 5, { tasks: 2, scope: tessera }],
    ["a part, with the seed that chose it", setOf(tessera, tessera), 1, { tasks: 1, seed: 7, scope: tessera }],
    [
      "several domains, which share a project",
      setOf({ ...tessera, domain: "a" }, { ...tessera, domain: "b" }),
      undefined,
      { tasks: 2, scope: tessera },
    ],
    ["several projects, whose set is nobody's", setOf(tessera, { project: "other" }), undefined, { tasks: 2 }],
    ["tasks without a scope, whose set is nobody's", setOf(undefined, tessera), undefined, { tasks: 2 }],
    ["a domain of no project, which is none", setOf({ domain: "a" }), undefined, { tasks: 1 }],
  ])("says what it measures on: %s", (_, set, maxTasks, expected) => {
    expect(measuredTasks({ digest: digestOf("c"), maxTasks, seed: 7 }, set)).toEqual({ digest: digestOf("c"), ...expected });
  });

  it("claims one arm at a time, and waits until its adapter is loaded", () => {
    expect(decideOn({ evaluation: anEvaluation({ status: { startTime, arms } }) }).status).toEqual({ activeArm: "base" });
    const second = measuring({ activeArm: "adapter", arms: [{ ...arms[0], passAt1: { estimate: "0", lower: "0", upper: "0" } }, arms[1]] });
    expect(decideOn({ evaluation: second, servers: new Map([["coder", serverWith()]]) })).toMatchObject({
      kind: "waiting",
      reason: "AdapterLoading",
    });
  });

  it("fails when the server refuses an arm's adapter: the other arms alone would say nothing", () => {
    const second = measuring({ activeArm: "adapter", arms: [{ ...arms[0], passAt1: { estimate: "0", lower: "0", upper: "0" } }, arms[1]] });
    const servers = new Map([["coder", serverWith([{ ...loaded, state: "Refused", message: "a weight is NaN" }])]]);
    expect(decideOn({ evaluation: second, servers })).toMatchObject({
      kind: "failed",
      reason: "AdapterRefused",
      message: expect.stringContaining("NaN"),
    });
  });

  it("freezes an arm's numbers and gives the next arm an epoch of its own", () => {
    const outcome = decideOn({ evaluation: measuring(), worker: told({ arm: "base", passAt1: rate(0.2), completed: 20 }) });
    expect(outcome.status).toMatchObject({
      activeArm: "adapter",
      epoch: 2,
      sandbox: { pod: "held-out-es2", uid: 100001 },
      arms: [{ completed: 20, passAt1: { estimate: "0.200" } }, { completed: 0 }],
    });
  });

  it("goes on in the next epoch when the evaluator is lost, with the same arm", () => {
    const outcome = decideOn({
      evaluation: measuring(),
      worker: { state: "Ended", permanent: false, reason: "EpochLost", message: "its pod vanished" },
    });
    expect(outcome.status).toMatchObject({ epoch: 2 });
    expect(outcome.status).not.toHaveProperty("activeArm");
  });

  it.each([
    ["Passed", "True"],
    ["Failed", "False"],
    ["Inconclusive", "Unknown"],
  ])("ends Ready whatever the verdict: %s is GatePassed=%s", (verdict, status) => {
    const last = measuring({
      activeArm: "adapter",
      arms: [{ ...arms[0], completed: 20, passAt1: { estimate: "0.2", lower: "0.1", upper: "0.3" } }, arms[1]],
    });
    const report = { repository: "rune/team/reports", digest: digestOf("e") };
    const outcome = decideOn({
      evaluation: last,
      worker: told({
        arm: "adapter",
        passAt1: rate(0.5),
        completed: 20,
        delta: { estimate: 30, lower: 10, upper: 50 },
        verdict,
        why: "so it is",
        report,
      }),
    });
    expect(outcome).toMatchObject({ kind: "succeeded", status: { verdict, report, delta: { estimate: "30.0" } } });
    expect(outcome.conditions).toContainEqual(
      expect.objectContaining({ type: "GatePassed", status, message: "gain 30.0 points [10.0, 50.0]; so it is" }),
    );
  });

  it("fails at its deadline and when its evaluator refuses its input", () => {
    expect(decide(aWorld({ evaluation: measuring() }), config, new Date("2027-01-01T00:00:00Z"))).toMatchObject({
      kind: "failed",
      reason: "DeadlineExceeded",
    });
    expect(
      decideOn({
        evaluation: measuring(),
        worker: { state: "Ended", permanent: true, reason: "IsolationUnproven", message: "canary reached" },
      }),
    ).toMatchObject({ kind: "failed", reason: "IsolationUnproven" });
  });

  it("waits while the log can't be read", () => {
    expect(decideOn({ evaluation: measuring(), log: { unavailable: "refused" } })).toMatchObject({
      kind: "waiting",
      reason: "LogUnavailable",
    });
  });
});
