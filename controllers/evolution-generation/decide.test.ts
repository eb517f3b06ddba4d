import type { Outcome } from "kopf-ts";
import { describe, expect, it } from "vitest";
import { aCondition, now } from "../testing/builders.ts";
import { found, setOf } from "../testing/evaluation-world.ts";
import {
  aChild,
  adaptersOf,
  aGeneration,
  aMember,
  anAdapter,
  anEvolutionWorld,
  interval,
  ours,
  promotionTaskSet,
  taskSet,
  text,
} from "../testing/evolution-world.ts";
import { baseDigest, modelServer } from "../testing/objects.ts";
import { decide } from "./decide.ts";
import type { World } from "./world.ts";

const unexpected = async () => {
  throw new Error("nothing should be stored here");
};
const decideOn = (over: Partial<World> = {}): Outcome => decide(anEvolutionWorld(over), unexpected, now);
type Status = Record<string, unknown>;
const statusOf = (outcome: Outcome) => outcome.status as Status & { [key: string]: never };

const begun = { startTime: "2026-11-23T11:00:00Z", taskSet, promotionTaskSet, base: interval(0.3) };
const measuredBy = { name: "parsers-m1", purpose: "Members", adapters: ["a", "b"], state: "Measured", uid: "u" };
const selected = {
  ...begun,
  evaluations: [measuredBy],
  members: [aMember("a", 0.5), aMember("b", 0.4)],
  selection: { draws: [], parents: ["a", "b"] },
};

describe("the beginning", () => {
  it("freezes members, tasks and what is known of the members on these very tasks", () => {
    const evidence = { passAt1: interval(0.5), base: interval(0.2), evaluation: "e", evaluationUID: "u", time: "2026-01-01T00:00:00Z" };
    const first = decideOn();
    expect(first).toMatchObject({
      reason: "PopulationFrozen",
      status: { memberCount: 2, members: [{ name: "a" }, { name: "b" }], shuffled: false },
    });
    const measured = { evidence: [{ ...evidence, taskSet: statusOf(first).taskSet }] };
    const again = decideOn({ population: [anAdapter("a", { status: measured }), anAdapter("b")] });
    expect(again.status).toMatchObject({ members: [{ name: "b" }, { name: "a", passAt1: interval(0.5) }], base: interval(0.2) });
    const elsewhere = { evidence: [{ ...evidence, taskSet: { ...taskSet, tasks: 3 } }] };
    expect(statusOf(decideOn({ population: [anAdapter("a", { status: elsewhere }), anAdapter("b")] })).members).not.toContainEqual(
      expect.objectContaining({ passAt1: expect.anything() }),
    );
  });

  it("leaves out who can't be a member, and beyond the maximum who is worst", () => {
    const wrong = [
      anAdapter("archived", { status: { archived: true } }),
      anAdapter("control", { spec: { control: true } }),
      anAdapter("large", { spec: { rank: 512 } }),
      anAdapter("other", { spec: { base: { name: "o", digest: taskSet.digest } } }),
    ];
    expect(statusOf(decideOn({ population: [...wrong, anAdapter("a"), anAdapter("b")] })).memberCount).toBe(2);
    const generation = aGeneration({ spec: { population: { matchLabels: {}, maximum: 2 }, selection: { parents: 2, tournamentSize: 2 } } });
    const champion = anAdapter("z", { status: { champion: text } });
    expect(decideOn({ generation, population: [anAdapter("a"), anAdapter("b"), champion] }).status).toMatchObject({
      members: [{ name: "z", champion: true }, { name: "a" }],
      omitted: { count: 1, names: ["b"] },
    });
  });

  it("gives the test an arm of other tasks' adapters where members have several scopes among its tasks", () => {
    const population = ["k0", "k1"].map((task) => anAdapter(task, { spec: { scope: { ...text, task } } }));
    expect(statusOf(decideOn({ population })).shuffled).toBe(true);
  });

  const set = setOf([text, text, text]);
  it.each<[string, Partial<World>, string]>([
    ["without its server", { server: undefined }, "ServerMissing"],
    ["while its server starts", { server: modelServer("qwen") }, "ServerNotReady"],
    ["without tasks of the part", { tasks: { fitness: found(setOf([text])), promotion: found(setOf([text])) } }, "PartEmpty"],
    ["with one adapter", { population: [anAdapter("a")] }, "PopulationTooSmall"],
    [
      "while an adapter is verified",
      { population: [anAdapter("a"), anAdapter("b", { status: { conditions: [] } })] },
      "PopulationTooSmall",
    ],
    [
      "where tasks that select decide as well",
      {
        generation: aGeneration({
          spec: { fitness: { taskSet: { configMap: { name: "x" } } }, promotion: { taskSet: { configMap: { name: "y" } } } },
        }),
        tasks: { fitness: found(set), promotion: found(set) },
      },
      "TasksOverlap",
    ],
  ])("waits %s", (_, world, reason) => {
    expect(decideOn(world)).toMatchObject({ reason, creates: [], status: undefined });
  });
});

describe("measuring", () => {
  const names = Array.from({ length: 9 }, (_, n) => `x${n}`);
  const unmeasured = { ...begun, members: names.map((name) => aMember(name)) };
  const at = (status: object, over: Partial<World> = {}) =>
    decideOn({ generation: aGeneration({ status }), adapters: adaptersOf(...names), ...over });

  it("takes seven adapters an evaluation, one evaluation after the other, the base in each", () => {
    const planned = at(unmeasured).status as { evaluations: { adapters: string[] }[] };
    expect(planned.evaluations.map(({ adapters }) => adapters.length)).toEqual([7, 2]);
    const [evaluation, ...others] = at({ ...unmeasured, ...planned }).creates;
    expect(others).toEqual([]);
    expect(evaluation).toMatchObject({ kind: "Evaluation", metadata: { name: "parsers-m1" } });
    expect(evaluation?.spec.arms.map(({ adapter }: { adapter?: string }) => adapter)).toEqual([undefined, ...names.slice(0, 7)]);
  });

  const running = { name: "parsers-m1", purpose: "Members", adapters: names.slice(0, 3), state: "Running", uid: "u" };
  const status = { ...unmeasured, evaluations: [running] };
  it("halves an evaluation that failed, until it is known who can't be measured", () => {
    const failed = at(status, { evaluations: new Map([["parsers-m1", ours("parsers-m1", ["Failed"])]]) });
    expect(failed.status).toMatchObject({
      evaluations: [
        { state: "Failed", message: expect.stringContaining("because of Failed") },
        { adapters: ["x0", "x1"] },
        { adapters: ["x2"] },
      ],
    });
    const alone = at(
      { ...unmeasured, evaluations: [{ ...running, adapters: ["x0"] }] },
      { evaluations: new Map([["parsers-m1", ours("parsers-m1", ["Stalled"])]]) },
    );
    expect(alone.status).toMatchObject({
      members: [{ name: "x0", leftOut: expect.stringContaining("because of Stalled") }, { name: "x1" }, {}, {}, {}, {}, {}, {}, {}],
    });
  });

  it("goes on without an Adapter that was deleted, whose evaluation would wait for ever", () => {
    const evaluation = ours("parsers-m1");
    const outcome = at(status, { adapters: adaptersOf("x0", "x2"), evaluations: new Map([["parsers-m1", evaluation as never]]) });
    expect(outcome.deletes).toEqual([evaluation]);
    expect(outcome.status).toMatchObject({ evaluations: [{ state: "Failed" }, { adapters: ["x0", "x2"], state: "Planned" }] });
  });

  it("doesn't count what was measured on other tasks", () => {
    const evaluation = ours("parsers-m1", ["Succeeded"], { status: { taskSet: { ...taskSet, tasks: 7 }, arms: [] } });
    expect(at(status, { evaluations: new Map([["parsers-m1", evaluation as never]]) }).status).toMatchObject({
      evaluations: [{ state: "Failed" }, {}, {}],
    });
  });

  it("begins nothing beyond the budget", () => {
    const spec = { budget: { evaluations: 1 } };
    const planned = { ...running, name: "parsers-m2", state: "Planned", uid: undefined };
    const generation = aGeneration({ spec, status: { ...unmeasured, evaluations: [{ ...running, state: "Measured" }, planned] } });
    const outcome = decideOn({ generation, adapters: adaptersOf(...names) });
    expect(outcome).toMatchObject({ creates: [], status: { exhausted: expect.stringContaining("spec.budget.evaluations") } });
  });

  it("fails where fewer than two could be measured", () => {
    const members = [aMember("a", 0.5), aMember("b", undefined, { leftOut: "it was deleted" })];
    expect(at({ ...begun, members, evaluations: [] })).toMatchObject({ kind: "failed", reason: "MembersUnmeasured" });
  });
});

describe("children", () => {
  const children = [
    aChild("parsers-c1", "Planned"),
    aChild("parsers-c2", "Planned", { kind: "Mean" }),
    aChild("parsers-c3", "Planned", { kind: "UnionRetrain" }),
  ];
  const at = (status: object, over: Partial<World> = {}, spec: object = {}) =>
    decideOn({ generation: aGeneration({ spec, status: { ...selected, ...status } }), ...over });
  const learnt = new Map([["a", { artifacts: [{ repository: "rune/team/trajectories", digest: taskSet.digest }] }]]);

  it("are named with the parents: merges of families, the mean and the union", () => {
    const { selection: _, ...measured } = selected;
    expect(decideOn({ generation: aGeneration({ status: measured }) }).status).toMatchObject({
      selection: { parents: ["a", "b"] },
      children: [{ kind: "Merge", parents: ["a", "b"] }, { kind: "Mean" }, { kind: "UnionRetrain" }],
    });
  });

  it("are made by no more runs at once than the spec allows", () => {
    expect(at({ children }, { learnt }).creates.map(({ metadata }) => metadata.name)).toEqual(["parsers-c1", "parsers-c2"]);
    const all = at({ children }, { learnt }, { training: { runsAtOnce: 3 } }).creates;
    expect(all.map(({ spec }) => Object.keys(spec).filter((key) => ["merge", "sft"].includes(key)))).toEqual([
      ["merge"],
      ["merge"],
      ["sft"],
    ]);
    expect(all[2]?.spec).toMatchObject({
      sft: { rank: 16, alpha: 32 },
      corpus: { artifacts: learnt.get("a")?.artifacts },
      output: { scope: text },
    });
  });

  it("never have more rank than the server takes", () => {
    const server = modelServer("qwen", {
      spec: { adapters: { maxRank: 20 } as never },
      status: { conditions: [aCondition("Ready")], baseDigest },
    });
    expect(at({ children }, { server }).creates[0]?.spec.merge).toMatchObject({ rank: 20 });
  });

  it("of which nobody knows what to learn fail, and say so", () => {
    const outcome = at({ children: [children[2]] });
    expect(outcome).toMatchObject({
      creates: [],
      status: { children: [{ state: "Failed", why: expect.stringContaining("no parent says") }] },
    });
  });

  it("whose run failed, is stalled or was deleted are children that failed, not a generation", () => {
    const training = [{ ...children[0], state: "Training" }];
    const withRun = (...conditions: string[]) =>
      at({ children: training }, { runs: new Map([["parsers-c1", ours("parsers-c1", conditions) as never]]) });
    expect(withRun("Failed").status).toMatchObject({ children: [{ state: "Failed", why: expect.stringContaining("because of Failed") }] });
    expect(withRun("Stalled").status).toMatchObject({
      children: [{ state: "Failed", why: expect.stringContaining("because of Stalled") }],
    });
    expect(at({ children: training }).status).toMatchObject({ children: [{ state: "Failed", why: expect.stringContaining("deleted") }] });
  });

  it("aren't made beyond the GPU hours", () => {
    const former = { name: "g1", spent: { evaluations: 0, gpuSeconds: 7200 }, withoutImprovement: 0, belowBase: [] };
    const spec = { generation: 2, rootRef: { name: "root", uid: "u" }, former, budget: { gpuHours: 2 } };
    expect(at({ children }, {}, spec)).toMatchObject({ creates: [], status: { exhausted: expect.stringContaining("2.0 GPU hours") } });
  });

  it("that answer every task as a member are dropped and archived; whose answers nobody knows are kept", () => {
    const measured = [
      aChild("parsers-c1", "Measured", { passAt1: interval(0.5) }),
      aChild("parsers-c2", "Measured", { passAt1: interval(0.5) }),
    ];
    const solves = (share: number) => new Map([["t1", share]]);
    const results = new Map([
      [aMember("b").digest, solves(1)],
      [measured[0]?.digest ?? "", solves(1)],
    ]);
    expect(at({ children: measured }, { results }).status).toMatchObject({
      children: [{ state: "Dropped", why: "answers every task as b does" }, { state: "Kept" }],
      decisions: [{ kind: "Archival", adapter: "of-parsers-c1", recorded: false }],
    });
  });
});

describe("promotion", () => {
  const kept = (kind: "Merge" | "Mean" | "UnionRetrain", run: string, passAt1: number) =>
    aChild(run, "Kept", { kind, passAt1: interval(passAt1) });
  const family = (merge: number, mean: number, union: number) => ({
    ...selected,
    children: [kept("Merge", "c1", merge), kept("Mean", "c2", mean), kept("UnionRetrain", "c3", union)],
  });
  const names = ["a", "b", "of-c1", "of-c2", "of-c3"];
  const at = (status: object, over: Partial<World> = {}) =>
    decideOn({ generation: aGeneration({ status }), adapters: adaptersOf(...names), ...over });

  it("puts the best child that beats mean and union to the test, at 1 - 0.05 / maxGenerations", () => {
    const chosen = at(family(0.7, 0.6, 0.5));
    expect(chosen.status).toMatchObject({
      promotion: {
        candidate: "of-c1",
        bestParent: "a",
        baseline: "a",
        tier: "Domain",
        scope: text,
        confidence: "0.99",
        evaluation: "parsers-p",
      },
    });
    const [evaluation] = at({ ...family(0.7, 0.6, 0.5), ...chosen.status }).creates;
    expect(evaluation?.spec).toMatchObject({
      gate: { candidate: "candidate", baseline: "parent", rule: "LowerBound", confidence: "0.99" },
      taskSet: { part: "Test" },
    });
    expect(evaluation?.spec.arms.map(({ name }: { name: string }) => name)).toEqual(["base", "candidate", "parent", "mean", "union"]);
  });

  it("compares with the champion where that is better than the best parent", () => {
    const champion = anAdapter("king", { status: { champion: text } });
    const members = [...selected.members, aMember("king", 0.6)];
    const chosen = at({ ...family(0.7, 0.6, 0.5), members }, { champions: [champion] });
    expect(chosen.status).toMatchObject({ promotion: { incumbent: "king", baseline: "king" } });
    const generation = aGeneration({ status: { ...family(0.7, 0.6, 0.5), members, ...chosen.status } });
    const [evaluation] = decideOn({ generation, adapters: adaptersOf(...names, "king") }).creates;
    expect(evaluation?.spec.gate.baseline).toBe("champion");
  });

  it.each([
    ["the mean is better", family(0.7, 0.8, 0.5), /doesn't beat|no child beats .* the mean of-c2 0\.800/],
    ["the union is better", family(0.7, 0.6, 0.75), /the union of-c3 0\.750/],
    ["its best parent is", family(0.45, 0.3, 0.3), /no better than a \(0\.500/],
    ["none was made", { ...selected, children: [aChild("c1", "Failed")] }, /no merged child/],
  ])("doesn't happen where %s, and says so with intervals", (_, status, why) => {
    const outcome = at(status);
    expect(outcome.status).toMatchObject({ promotion: { outcome: "NotPromoted", why: expect.stringMatching(why) } });
    expect(outcome.conditions).toContainEqual(expect.objectContaining({ type: "Promoted", status: "False" }));
  });

  const tested = (result: object, comparisons: object[] = []) => {
    const status = { ...family(0.7, 0.6, 0.5), ...at(family(0.7, 0.6, 0.5)).status } as { evaluations: { name: string }[] };
    const evaluations = status.evaluations.map((each) => (each.name === "parsers-p" ? { ...each, state: "Running", uid: "u" } : each));
    const found = ours("parsers-p", ["Succeeded"], {
      status: { taskSet: promotionTaskSet, delta: interval(9, 3), comparisons, ...result },
    });
    return at({ ...status, evaluations }, { evaluations: new Map([["parsers-p", found as never]]) });
  };

  it("is decided by the gate, and by the mean and the union beside it", () => {
    expect(tested({ verdict: "Passed" }).status).toMatchObject({
      promotion: { outcome: "Promoted" },
      decisions: [{ kind: "Promotion", adapter: "of-c1" }],
    });
    expect(tested({ verdict: "Inconclusive" }).status).toMatchObject({ promotion: { outcome: "NotPromoted" } });
    expect(statusOf(tested({ verdict: "Inconclusive" })).decisions).toBeUndefined();
    const better = [{ candidate: "union", delta: interval(10, 3) }];
    expect(tested({ verdict: "Passed" }, better).status).toMatchObject({
      promotion: { outcome: "NotPromoted", why: expect.stringContaining("of-c3 (UnionRetrain)") },
    });
    expect(tested({ verdict: "Passed", taskSet }).status).toMatchObject({
      promotion: { outcome: "NotPromoted", why: expect.stringContaining("other tasks") },
    });
  });
});

describe("pruning", () => {
  const former = {
    name: "g1",
    spent: { evaluations: 2, gpuSeconds: 0 },
    withoutImprovement: 0,
    belowBase: [
      { name: "low", generations: 1 },
      { name: "king", generations: 1 },
    ],
  };
  const spec = {
    generation: 2,
    rootRef: { name: "root", uid: "u" },
    former,
    pruning: { minimumPopulation: 2 },
    selection: { parents: 2, tournamentSize: 2 },
  };
  const members = [
    aMember("a", 0.5),
    aMember("b", 0.4),
    aMember("low", 0.1),
    aMember("new", 0.1),
    aMember("king", 0.1, { champion: true }),
  ];
  const status = { ...selected, members, children: [], promotion: { outcome: "NotPromoted", why: "nobody" } };
  const at = (over: Partial<World> = {}, more: object = {}) =>
    decideOn({
      generation: aGeneration({ spec: { ...spec, ...more }, status }),
      adapters: adaptersOf("a", "b", "low", "new", "king"),
      ...over,
    });

  it("archives who has been below the base for long enough, and remembers who is", () => {
    expect(at().status).toMatchObject({
      decisions: [{ kind: "Archival", adapter: "low", why: expect.stringContaining("for 2 generations") }],
      members: [{ name: "a" }, { name: "b" }, { name: "low", belowBase: 2 }, { name: "new", belowBase: 1 }, { name: "king", belowBase: 2 }],
      spared: [{ name: "king", why: "it is a champion" }],
      pruned: true,
    });
  });

  it.each<[string, Partial<World>, object]>([
    ["something uses it", { users: new Map([["low", "AgentSession s"]]) }, {}],
    [
      "a server has it loaded",
      { adapters: new Map([["low", anAdapter("low", { status: { holders: { engines: 1, servers: ["qwen"] } } })]]) },
      {},
    ],
    ["too few would be left", {}, { pruning: { minimumPopulation: 5 } }],
    ["nobody is to be archived", {}, { pruning: { belowBase: false, minimumPopulation: 2 } }],
  ])("spares it where %s", (_, world, more) => {
    expect(at(world, more).status).toMatchObject({ decisions: [] });
  });

  it("spares weights that a champion has as well, under another name", () => {
    const twin = aMember("low", 0.1, { digest: aMember("king").digest });
    const generation = aGeneration({
      spec,
      status: { ...status, members: [aMember("a", 0.5), aMember("b", 0.4), twin, aMember("king", 0.1, { champion: true })] },
    });
    expect(decideOn({ generation }).status).toMatchObject({ decisions: [] });
  });
});

describe("the end", () => {
  const done = {
    ...selected,
    children: [aChild("c1", "Kept", { passAt1: interval(0.6) })],
    promotion: { outcome: "NotPromoted", why: "nobody" },
    pruned: true,
    decisions: [],
  };
  const at = (spec: object = {}, over: Partial<World> = {}, status: object = {}) =>
    decideOn({
      generation: aGeneration({ spec, status: { ...done, ...status } }),
      adapters: new Map([["of-c1", anAdapter("of-c1")]]),
      ...over,
    });
  const later = (more: object) => ({
    generation: 2,
    rootRef: { name: "parsers", uid: "u" },
    former: { name: "parsers", spent: { evaluations: 3, gpuSeconds: 60 }, withoutImprovement: 1, belowBase: [], ...more },
  });

  it("is the next generation, with all that it has to know and without an owner", () => {
    const outcome = at({ ttlSecondsAfterFinished: 60 });
    expect(outcome).toMatchObject({
      kind: "succeeded",
      reason: "Continued",
      status: { next: "parsers-g2", best: { adapter: "of-c1" }, withoutImprovement: 0 },
    });
    const [next] = outcome.creates;
    expect(next?.metadata).toMatchObject({ name: "parsers-g2", namespace: "team" });
    expect(next?.metadata.ownerReferences).toBeUndefined();
    expect(next?.spec).toMatchObject({
      generation: 2,
      rootRef: { name: "parsers", uid: "uid-of-parsers" },
      former: { name: "parsers", best: { adapter: "of-c1" }, spent: { evaluations: 1 }, withoutImprovement: 0 },
      ttlSecondsAfterFinished: 60,
    });
  });

  it.each([
    ["GenerationsReached", { maxGenerations: 1 }, {}],
    ["BudgetExhausted", { budget: { evaluations: 1 } }, {}],
    ["NoImprovement", later({ best: { adapter: "z", taskSet, passAt1: interval(0.7) } }), {}],
  ])("says why there is none: %s", (reason, spec, status) => {
    expect(at(spec, {}, status)).toMatchObject({ kind: "succeeded", reason, creates: [] });
  });

  it("forgets what was the best on other tasks", () => {
    const best = { adapter: "z", taskSet: { ...taskSet, tasks: 3 }, passAt1: interval(0.9) };
    expect(at(later({ best }))).toMatchObject({ reason: "Continued", status: { withoutImprovement: 0 } });
  });

  it("stalls where another chain's generation has the next one's name", () => {
    expect(at({}, { next: aGeneration({ name: "parsers-g2" }) })).toMatchObject({ kind: "stalled", reason: "NextExists", creates: [] });
    const own = aGeneration({ name: "parsers-g2", labels: { "rune.dev/former-uid": "uid-of-parsers" } });
    expect(at({}, { next: own })).toMatchObject({ kind: "succeeded", reason: "Continued" });
  });

  it("comes after the population's own labels are on the children that stay", () => {
    const bare = anAdapter("of-c1", { labels: { team: "red" } });
    expect(at({}, { adapters: new Map([["of-c1", bare]]) })).toMatchObject({
      applies: [{ kind: "Adapter", metadata: { name: "of-c1", labels: { team: "blue" } } }],
    });
  });
});

describe("suspension", () => {
  const run = ours("parsers-c1", [], { spec: { suspend: false } });
  const held = ours("parsers-c1", [], { spec: { suspend: true } });
  const status = { ...selected, children: [aChild("parsers-c1", "Training")] };

  it.each<[string, object, Partial<World>]>([
    ["of itself", { suspend: true }, {}],
    ["of the first generation", {}, { root: aGeneration({ name: "root", spec: { suspend: true } }) }],
  ])("%s suspends what is under way", (_, spec, over) => {
    const outcome = decideOn({ generation: aGeneration({ spec, status }), runs: new Map([["parsers-c1", run as never]]), ...over });
    expect(outcome).toMatchObject({
      reason: "Suspended",
      status: { paused: true },
      applies: [{ metadata: { name: "parsers-c1" }, spec: { suspend: true } }],
    });
  });

  it("ends with what it had suspended", () => {
    const generation = aGeneration({ status: { ...status, paused: true } });
    expect(decideOn({ generation, runs: new Map([["parsers-c1", held as never]]) })).toMatchObject({
      applies: [{ spec: { suspend: false } }],
    });
    expect(decideOn({ generation, runs: new Map([["parsers-c1", run as never]]) }).status).toEqual({ paused: undefined });
  });
});
