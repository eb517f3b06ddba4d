import type { AgentSession } from "@rune/crds/kinds/agent-session";
import { describe, expect, it } from "vitest";
import { aCondition, anEvaluation, aSession } from "../testing/builders.ts";
import { adapterOf, aPlan, aRunOf, aWorld, found, reference, serverWith, setOf } from "../testing/evaluation-world.ts";
import { digestOf } from "../testing/objects.ts";
import { type Plan, planConfigMap, readPlan } from "./plan.ts";
import { planOf } from "./planning.ts";
import type { Arm, World } from "./world.ts";

const tessera = { project: "tessera" };
const planned = (over: Partial<World>): Plan => {
  const plan = planOf(aWorld(over));
  if ("reason" in plan) throw new Error(plan.message);
  return plan;
};
const serverRef = { name: "coder" };
const withArms = (arms: object[], spec: object = {}) => anEvaluation({ spec: { arms, ...spec } });

describe("what an evaluation measures on", () => {
  const measured = (scopes: (object | undefined)[], spec: object = {}) =>
    planned({ evaluation: anEvaluation({ spec: { seed: 7, ...spec } }), tasks: found(setOf(scopes)) }).taskSet;

  it.each<[string, (object | undefined)[], object, object]>([
    ["the whole of a set of one scope", [tessera, tessera], {}, { tasks: 2, scope: tessera }],
    ["no more than there is", [tessera, tessera], { taskSet: { ...reference, maxTasks: 5 } }, { tasks: 2, scope: tessera }],
    [
      "some, with the seed that chose them",
      [tessera, tessera],
      { taskSet: { ...reference, maxTasks: 1 } },
      { tasks: 1, seed: 7, scope: tessera },
    ],
    [
      "several domains, which share a project",
      [
        { ...tessera, domain: "a" },
        { ...tessera, domain: "b" },
      ],
      {},
      { tasks: 2, scope: tessera },
    ],
    ["several projects, whose set is nobody's", [tessera, { project: "other" }], {}, { tasks: 2 }],
    ["tasks without a scope, whose set is nobody's", [undefined, tessera], {}, { tasks: 2 }],
  ])("is said: %s", (_, scopes, spec, expected) => {
    const { clusters, ...rest } = measured(scopes, spec);
    expect(rest).toEqual({ ...reference, ...expected });
    expect(clusters).toBe(rest.tasks);
  });

  it("counts clusters among the tasks that were chosen, not among all", () => {
    const set = setOf(Array(6).fill(tessera), (n) => `c${Math.floor(n / 2)}`);
    expect(planned({ tasks: found(set) }).taskSet).toMatchObject({ tasks: 6, clusters: 3 });
  });

  it("is a part where one is asked for, and no task of it is another part's", () => {
    const set = setOf(Array(60).fill(tessera));
    const of = (part: string) =>
      planned({ evaluation: anEvaluation({ spec: { taskSet: { ...reference, part } } }), tasks: found(set) }).taskSet;
    expect(of("Train").tasks + of("Validation").tasks + of("Test").tasks).toBe(60);
    expect(of("Test")).toMatchObject({ part: "Test" });
    expect(of("Test")).not.toHaveProperty("seed");
  });

  it("stalls on a part that has no task", () => {
    const evaluation = anEvaluation({ spec: { taskSet: { ...reference, part: "Test" } } });
    expect(planOf(aWorld({ evaluation, tasks: found(setOf([tessera])) }))).toMatchObject({ reason: "PartEmpty" });
  });
});

const each: Arm = { name: "each", serverRef, adapters: { matchLabels: { by: "h" }, assign: "Scope" } };
const wrong: Arm = { ...each, name: "wrong", adapters: { matchLabels: { by: "h" }, assign: "Shuffled" } };
const own = (name: string) => ({ ...tessera, domain: name });
const set = setOf([own("a"), own("b"), own("c"), tessera]);
const three = ["a", "b", "c"].map((name) => adapterOf(`of-${name}`, own(name), "generator"));
const worldOf = (over: Partial<World> = {}, arms: Arm[] = [each, wrong]) => ({
  evaluation: withArms(arms),
  tasks: found(set),
  selected: new Map(arms.map(({ name }) => [name, three])),
  runs: new Map([["generator", aRunOf("generator", { generate: { hypernetwork: { run: "h" } } })]]),
  servers: new Map([["coder", serverWith([], { slots: 2 })]]),
  ...over,
});

describe("an arm with an adapter for each task", () => {
  it("freezes who answers what, in batches of the server's slots, and that a hypernetwork made them", () => {
    const [plan, control] = planned(worldOf()).arms;
    expect(plan).toMatchObject({ name: "each", assigned: { t0: "of-a", t1: "of-b", t2: "of-c" }, generated: true });
    expect(plan?.adapters).toHaveLength(3);
    expect(plan?.batches.map(({ adapters }) => adapters.length)).toEqual([2, 1]);
    expect(control).toMatchObject({ name: "wrong", control: "WrongTrajectory" });
    for (const [id, name] of Object.entries(plan?.assigned ?? {})) expect(control?.assigned?.[id]).not.toBe(name);
  });

  it("leaves the slots alone that residents always take", () => {
    const residents = new Map([["coder", ["elsewhere"]]]);
    expect(planned(worldOf({ residents })).arms[0]?.batches).toHaveLength(3);
  });

  it("waits for an adapter that is still being verified, and leaves out what is refused or of another base", () => {
    const pending = { ...adapterOf("of-d", tessera), status: {} };
    expect(planOf(aWorld(worldOf({ selected: new Map([["each", [...three, pending]]]) })))).toMatchObject({
      reason: "AdapterMissing",
      retrySeconds: 10,
      message: expect.stringContaining("of-d"),
    });
    const refused = { ...pending, status: { conditions: [aCondition("Stalled")] } };
    const foreign = { ...pending, spec: { ...pending.spec, base: { name: "x", digest: digestOf("9") } } };
    const plan = planned(worldOf({ selected: new Map([["each", [...three, refused, foreign]]]) }, [each]));
    expect(plan.arms[0]?.assigned).not.toHaveProperty("t3");
  });

  it.each<[string, Partial<World>, Arm[], string, string]>([
    ["labels that nothing carries", { selected: new Map() }, [each], "AdapterMissing", "no Adapter has by=h"],
    ["adapters that fit no task", { tasks: found(setOf([{ project: "other" }])) }, [each], "NoneAssigned", "would be the base"],
    ["nothing to shuffle", { selected: new Map([["wrong", three.slice(0, 1)]]) }, [wrong], "NoneAssigned", "two scopes at least"],
  ])("says of %s what to do", (_, over, arms, reason, words) => {
    expect(planOf(aWorld(worldOf(over, arms)))).toMatchObject({ reason, message: expect.stringContaining(words) });
  });
});

describe("an arm with one adapter", () => {
  const arms = [{ name: "one", serverRef, adapter: "tessera-1" }];

  it("stalls on an adapter of another base than its server's", () => {
    const foreign = adapterOf("tessera-1", tessera);
    const adapters = new Map([["tessera-1", { ...foreign, spec: { ...foreign.spec, base: { name: "x", digest: digestOf("9") } } }]]);
    expect(planOf(aWorld({ evaluation: withArms(arms), adapters }))).toMatchObject({ reason: "BaseMismatch" });
  });

  it("waits for a server that takes its rank", () => {
    const servers = new Map([["coder", serverWith([], { maxRank: 8 })]]);
    expect(planOf(aWorld({ evaluation: withArms(arms), servers }))).toMatchObject({ reason: "RankTooLarge", retrySeconds: 10 });
  });

  it.each([
    ["the mean of others", { merge: { adapters: [], combine: "Mean" } }, undefined, "Mean"],
    ["noise", { control: { kind: "RandomOfEqualNorm" } }, true, "Random"],
    ["nothing at all", { control: { kind: "Zero" } }, true, "Zero"],
    ["noise whose run is gone", undefined, true, "Random"],
    ["nothing at all whose run is gone", undefined, true, "Zero", "Zero"],
    ["a mean whose run is gone", undefined, undefined, "Mean", "Mean"],
    ["a sum of others, which is no control", { merge: { adapters: [], combine: "Cat" } }, undefined, undefined],
  ] as const)("is known to be a control: %s", (_, method, control, kind, labelled?: string) => {
    const { metadata, spec, ...adapter } = adapterOf("tessera-1", tessera, "maker");
    const labels = { ...metadata.labels, ...(labelled && { "rune.dev/control": labelled }) };
    const made = { ...adapter, metadata: { ...metadata, labels }, spec: control ? { ...spec, control } : spec };
    const adapters = new Map([["tessera-1", made]]);
    const runs = new Map(method ? [["maker", aRunOf("maker", method)]] : []);
    expect(planned({ evaluation: withArms(arms), adapters, runs }).arms[0]?.control).toBe(kind);
  });
});

describe("an arm with context", () => {
  const context = { sessions: { matchLabels: { learn: "yes" } } };
  const evaluation = withArms([{ name: "told", serverRef, context }]);
  const ended = (name: string, digit?: string): AgentSession =>
    aSession({
      name,
      status: {
        conditions: [aCondition("Succeeded")],
        ...(digit && { trajectory: { repository: "rune/team/trajectories", digest: digestOf(digit) } }),
      },
    });

  it("freezes the trajectories of its sessions, in the order of their digests", () => {
    const told = new Map([["told", [ended("s2", "2"), ended("s1", "1"), ended("s3")]]]);
    expect(planned({ evaluation, told }).arms[0]?.context?.artifacts.map(({ digest }) => digest)).toEqual([digestOf("1"), digestOf("2")]);
  });

  it("waits for sessions that run, and for the first", () => {
    const told = new Map([["told", [ended("s1", "1"), aSession({ name: "s2" })]]]);
    expect(planOf(aWorld({ evaluation, told }))).toMatchObject({ reason: "SessionsRunning", retrySeconds: 10 });
    expect(planOf(aWorld({ evaluation }))).toMatchObject({ reason: "SessionMissing", retrySeconds: 10 });
  });
});

it("what was frozen is read as it was written", () => {
  expect(readPlan({ ...planConfigMap(anEvaluation(), aPlan()) })).toEqual(aPlan());
  expect(readPlan(undefined)).toBeUndefined();
});

it("a plan that no object of Kubernetes could hold is refused in words", () => {
  const big = setOf(Array.from({ length: 15000 }, () => tessera));
  const many = { selected: new Map([["each", [adapterOf("a".repeat(52), tessera)]]]), tasks: found(big) };
  expect(planOf(aWorld(worldOf(many, [each])))).toMatchObject({ reason: "PlanTooLarge", message: expect.stringContaining("maxTasks") });
  const wide = setOf(Array.from({ length: 4000 }, () => tessera));
  for (const task of wide.tasks) task.id = `${"試".repeat(90)}${task.id}`;
  expect(planOf(aWorld(worldOf({ ...many, tasks: found(wide) }, [each])))).toMatchObject({ reason: "PlanTooLarge" });
});
