import type { Outcome } from "kopf-ts";
import { describe, expect, it } from "vitest";
import { anEvaluation, now } from "../testing/builders.ts";
import { adapterOf, aPlan, aWorld, loaded, server, serverWith, setOf } from "../testing/evaluation-world.ts";
import { config, digestOf } from "../testing/objects.ts";
import { batchesOf, nameOfUnit, tasksOfLooks, unitsOf } from "./batches.ts";
import { decide } from "./decide.ts";
import type { Plan } from "./plan.ts";
import type { World } from "./world.ts";

const { tasks } = setOf(Array.from({ length: 8 }, () => undefined));
const assigned = { t0: "a", t1: "b", t2: "a", t3: "c", t4: "c", t6: "d", t7: "d" };

describe("batches of an arm", () => {
  it("hold no more adapters than the server has slots for, each adapter in one of them", () => {
    expect(batchesOf([tasks], assigned, 3).map(({ adapters }) => adapters)).toEqual([["a", "b", "c"], ["d"]]);
    expect(batchesOf([tasks], assigned, 64)).toHaveLength(1);
  });

  it("say at which look there is something for them; the base's tasks come beside the first", () => {
    const looks = tasksOfLooks(tasks, 2);
    expect(looks.map((each) => each.map(({ id }) => id))).toEqual([
      ["t0", "t1", "t2", "t3"],
      ["t4", "t5", "t6", "t7"],
    ]);
    expect(batchesOf(looks, assigned, 2)).toEqual([
      { adapters: ["a", "b"], looks: [1, 2] },
      { adapters: ["c", "d"], looks: [1, 2] },
    ]);
    expect(batchesOf(looks, { ...assigned, t5: "d" }, 2)[0]).toEqual({ adapters: ["a", "b"], looks: [1] });
  });
});

const batches = [
  { adapters: ["a", "b"], looks: [1] },
  { adapters: ["c"], looks: [1, 2] },
];
const plan: Plan = aPlan({
  looks: [
    { tasks: 2, clusters: 2 },
    { tasks: 4, clusters: 4 },
  ],
  arms: [
    { name: "each", server: { name: "coder", shared: 1 }, adapters: [], assigned: { t0: "a", t1: "b", t2: "c" }, batches },
    { name: "base", server: { name: "elsewhere", shared: 1 }, adapters: [], batches: [{ adapters: [], looks: [1] }] },
  ],
});
const spec = {
  looks: 2,
  arms: [
    { name: "each", serverRef: { name: "coder" }, adapters: { matchLabels: { by: "h" } } },
    { name: "base", serverRef: { name: "elsewhere" } },
  ],
};
const served = (name: string) => ({ ...loaded, name });
const nothing = async () => undefined;
const adapters = new Map(["a", "b", "c"].map((name) => [name, adapterOf(name, {})]));
const at = (status: object, over: Partial<World> = {}): Outcome => {
  const armed = [
    { name: "each", completed: 0, total: 20, assigned: 3, unassigned: 1 },
    { name: "base", completed: 0, total: 20 },
  ];
  const evaluation = anEvaluation({ spec, status: { startTime: "2026-11-23T11:59:00Z", arms: armed, epoch: 3, ...status } });
  const servers = new Map(["coder", "elsewhere"].map((name) => [name, serverWith(["a", "b", "c"].map(served))]));
  return decide(aWorld({ evaluation, plan, servers, adapters, ...over }), config, { tasks: nothing, evidence: nothing }, now);
};
const ended = (output: object) => ({ worker: { state: "Ended" as const, permanent: false, reason: "", message: "", output } });
const rate = { estimate: 0.5, lower: 0.4, upper: 0.6 };
const based = { arms: [{ name: "base", completed: 10, passAt1: rate }] };
const report = { repository: "rune/team/reports", digest: digestOf("e") };

describe("arms that are measured together", () => {
  const arm = (name: string, adapters: string[], on = server) => ({ name, server: on, adapters: [], batches: [{ adapters, looks: [1] }] });
  const unitsWith = (...arms: Plan["arms"]) => unitsOf(aPlan({ arms })).map(({ arms: names, adapters: claimed }) => `${names}: ${claimed}`);

  it("are neighbours that fit the slots of one server, with one left to others", () => {
    expect(unitsWith(arm("base", []), arm("one", ["a"]), arm("two", ["b"]), arm("three", ["c"]), arm("four", ["d"]))).toEqual([
      "base,one,two,three: a,b,c",
      "four: d",
    ]);
  });

  it("claim what they have in common once", () => {
    const four = ["a", "b", "c", "d"];
    expect(unitsWith(arm("right", four), arm("wrong", four.toReversed()), arm("base", []), arm("mean", ["e"]))).toEqual([
      "right,wrong,base: a,b,c,d",
      "mean: e",
    ]);
  });

  it("are of one server", () => {
    expect(unitsWith(arm("here", []), arm("there", [], { name: "other", shared: 3 }), arm("again", []))).toEqual([
      "here: ",
      "there: ",
      "again: ",
    ]);
  });

  it("are named each, with the batch where there are several", () => {
    const of = aPlan({
      arms: [
        {
          ...arm("each", ["a"]),
          batches: [
            { adapters: ["a"], looks: [1] },
            { adapters: ["b"], looks: [1] },
          ],
        },
        arm("base", []),
      ],
    });
    expect(nameOfUnit({ look: 1, arms: ["each", "base"], adapters: ["b"] }, of)).toBe("arms each (batch 2 of 2), base");
  });
});

describe("an evaluation of several looks and batches", () => {
  it("goes look by look, arm by arm, batch by batch, and its last arm closes every look", () => {
    expect(unitsOf(plan).map(({ look, arms, adapters: claimed }) => `${look} ${arms} ${claimed}`)).toEqual([
      "1 each a,b",
      "1 each c",
      "1 base ",
      "2 each c",
      "2 base ",
    ]);
  });

  it("claims the first batch before anything runs", () => {
    expect(at({}).status).toEqual({ activeArms: ["each"], activeAdapters: ["a", "b"], look: 1 });
  });

  it("waits until every adapter of the batch answers", () => {
    const servers = new Map(["coder", "elsewhere"].map((name) => [name, serverWith([served("a")])]));
    const outcome = at({ activeArms: ["each"], activeAdapters: ["a", "b"], look: 1 }, { servers });
    expect(outcome).toMatchObject({ kind: "waiting", reason: "AdapterLoading", message: expect.stringContaining("load b") });
  });

  it("fails when one of them is refused, or gone", () => {
    const status = { activeArms: ["each"], activeAdapters: ["a", "b"], look: 1 };
    const refusing = serverWith([served("a"), { ...served("b"), state: "Refused", message: "a weight is NaN" }]);
    const refused = new Map(["coder", "elsewhere"].map((name) => [name, refusing]));
    expect(at(status, { servers: refused })).toMatchObject({
      kind: "failed",
      reason: "AdapterRefused",
      message: expect.stringContaining("NaN"),
    });
    expect(at(status, { adapters: new Map([...adapters].slice(0, 1)) })).toMatchObject({ kind: "failed", reason: "AdapterMissing" });
  });

  it("gives the next batch an epoch of its own, and counts what the first one cost", () => {
    const costs = { promptTokens: 10, completionTokens: 5, engineSeconds: 2, programs: 10 };
    const outcome = at(
      { activeArms: ["each"], activeAdapters: ["a", "b"], look: 1 },
      ended({ arms: [{ name: "each", completed: 10, costs }] }),
    );
    expect(outcome).toMatchObject({ reason: "ArmMeasured", status: { activeArms: ["each"], activeAdapters: ["c"], look: 1, epoch: 4 } });
    expect(outcome.status).toMatchObject({ arms: [{ completed: 10, costs, assigned: 3 }, {}] });
    expect(outcome.message).toContain("arm each (batch 1 of 2) at look 1 of 2: 10 programs judged");
  });

  it("releases the batch with its arm", () => {
    const outcome = at(
      { activeArms: ["each"], activeAdapters: ["c"], look: 1 },
      ended({ arms: [{ name: "each", completed: 10, passAt1: rate }] }),
    );
    expect(outcome.status).toMatchObject({ activeArms: ["base"], activeAdapters: undefined, look: 1 });
  });

  it("takes the next look where the last one decided nothing", () => {
    const outcome = at({ activeArms: ["base"], look: 1 }, ended({ ...based, decided: false }));
    expect(outcome.status).toMatchObject({ activeArms: ["each"], activeAdapters: ["c"], look: 2 });
  });

  it("ends early where a look decides, and says that fewer tasks were measured", () => {
    const result = {
      ...based,
      decided: true,
      verdict: "Passed",
      delta: { estimate: 30, lower: 20, upper: 40 },
      report,
    };
    const outcome = at({ activeArms: ["base"], look: 1 }, ended({ ...result, comparisons: [{ candidate: "each", delta: result.delta }] }));
    expect(outcome).toMatchObject({ kind: "succeeded", message: expect.stringContaining("look 1 of 2") });
    expect(outcome.status).toMatchObject({
      taskSet: { tasks: 2, clusters: 2, seed: 0, digest: digestOf("c") },
      comparisons: [{ candidate: "each", delta: { lower: "20.0" } }],
      activeArms: undefined,
      activeAdapters: undefined,
    });
  });

  it("fails when it decides without a report", () => {
    expect(at({ activeArms: ["base"], look: 1 }, ended({ ...based, decided: true }))).toMatchObject({
      kind: "failed",
      reason: "ArtifactMissing",
    });
  });

  it("names the tasks that an adapter has learnt from, as the evaluator found them", () => {
    const seen = { worker: { state: "Ended" as const, permanent: true, reason: "TasksSeen", message: "a has learnt from t0" } };
    expect(at({ activeArms: ["each"], activeAdapters: ["a", "b"], look: 1 }, seen)).toMatchObject({
      kind: "failed",
      reason: "TasksSeen",
      message: "a has learnt from t0",
    });
  });
});
