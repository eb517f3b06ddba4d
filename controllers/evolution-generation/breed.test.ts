import { describe, expect, it } from "vitest";
import { aCondition } from "../testing/builders.ts";
import {
  aChild,
  adaptersOf,
  aGeneration,
  aMember,
  anAdapter,
  decideOn,
  interval,
  ours,
  selected,
  statusOf,
  taskSet,
  text,
} from "../testing/evolution-world.ts";
import { baseDigest, modelServer } from "../testing/objects.ts";
import type { World } from "./world.ts";

describe("what was given up", () => {
  const failed = (...names: string[]) => ({ ...selected, children: names.map((name) => aChild(name, "Failed")) });
  const at = (status: object, runs: Map<string, never>) => decideOn({ generation: aGeneration({ status }), runs }).deletes;

  it("is deleted though it waits for a person, once status calls it failed, and what has ended stays", () => {
    const stalled = ours("c1", ["Stalled"]);
    const runs = new Map([
      ["c1", stalled as never],
      ["c2", ours("c2", ["Failed"]) as never],
      ["c3", ours("c3") as never],
    ]);
    expect(at({ ...selected, children: [aChild("c1", "Training")] }, runs)).toEqual([]);
    expect(at({ ...failed("c1", "c2"), children: [...failed("c1", "c2").children, aChild("c3", "Training")] }, runs)).toEqual([stalled]);
  });

  it("is deleted by a generation that has ended or is suspended too, and by none that is being deleted", () => {
    const runs = new Map([["c1", ours("c1", ["Stalled"]) as never]]);
    const ended = { type: "Succeeded", status: "True", reason: "Continued", message: "", lastTransitionTime: "2026-11-23T11:00:00Z" };
    expect(at({ ...failed("c1"), conditions: [ended] }, runs)).toHaveLength(1);
    const held = decideOn({ generation: aGeneration({ status: failed("c1"), spec: { suspend: true } }), runs });
    expect([held.deletes.length, held.applies.length]).toEqual([1, 0]);
    const { metadata, ...rest } = aGeneration({ status: failed("c1") });
    const leaving = { ...rest, metadata: { ...metadata, deletionTimestamp: "2026-11-23T11:00:00Z" } };
    expect(decideOn({ generation: leaving, runs }).deletes).toEqual([]);
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

  it("are also generated from what the parents have learnt from, where there is a hypernetwork for it", () => {
    const { selection: _, ...measured } = selected;
    const spec = { variation: { merge: { children: 1 }, generate: { hypernetwork: { run: "reader" } } } };
    const { children: planned } = statusOf(decideOn({ generation: aGeneration({ status: measured, spec }) }));
    expect(planned).toMatchObject([{ kind: "Merge" }, { run: "parsers-c2", kind: "Generate", parents: ["a", "b"] }, {}, {}]);
    const generated = aChild("parsers-c2", "Planned", { kind: "Generate" });
    expect(at({ children: [generated] }, { learnt }, spec).creates[0]?.spec).toMatchObject({
      generate: { hypernetwork: { run: "reader" }, each: "Corpus" },
      corpus: { artifacts: learnt.get("a")?.artifacts },
    });
    expect(at({ children: [generated] }, {}, spec).status).toMatchObject({ children: [{ state: "Failed" }] });
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

  it("are merged on one GPU though the union is learnt on several", () => {
    const gpusOf = (resources: object) =>
      at({ children }, { learnt }, { training: { runsAtOnce: 3, resources } }).creates.map(({ spec }) => spec.resources);
    expect(gpusOf({ memory: "64Gi", gpus: 4 })).toEqual([1, 1, 4].map((gpus) => ({ memory: "64Gi", gpus })));
    expect(gpusOf({ gpus: 0 })).toEqual([{ gpus: 0 }, { gpus: 0 }, { gpus: 0 }]);
    expect(gpusOf({})).toEqual([{}, {}, {}]);
  });

  it("never have more rank than the server takes", () => {
    const server = modelServer("qwen", {
      spec: { adapters: { maxRank: 16 } as never },
      status: { conditions: [aCondition("Ready")], baseDigest },
    });
    expect(at({ children }, { server }).creates[0]?.spec.merge).toMatchObject({ rank: 16 });
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

  it("whose run would wait forever for its hypernetwork fail; what is frozen or has started goes on", () => {
    const spec = { variation: { merge: {}, generate: { hypernetwork: { run: "reader" } } } };
    const generated = { ...children[0], kind: "Generate", state: "Training" };
    const childWith = (generatorRun: World["generatorRun"], status: object = {}) => {
      const runs = new Map([["parsers-c1", ours("parsers-c1", [], { status }) as never]]);
      return statusOf(at({ children: [generated] }, { runs, generatorRun }, spec)).children?.[0];
    };
    const reader = (...conditions: string[]) => ours("reader", conditions) as never;
    expect(childWith(undefined)).toMatchObject({ state: "Failed", why: expect.stringContaining("reader, which trains its hypernetwork") });
    for (const condition of ["Stalled", "Failed"])
      expect(childWith(reader(condition))).toMatchObject({ state: "Failed", why: expect.stringContaining(`because of ${condition}`) });
    expect(childWith(reader())).toMatchObject({ state: "Training" });
    expect(childWith(undefined, { inputs: {} })).toMatchObject({ state: "Training" });
    expect(childWith(undefined, { attempts: [{ number: 1 }] })).toMatchObject({ state: "Training" });
  });

  it("whose parent is refused before their run has frozen it fail, unless they need only what it has learnt from", () => {
    const conditions = [{ ...aCondition("Stalled"), message: "its artifact is gone" }];
    const adapters = new Map([...adaptersOf("b"), ["a", anAdapter("a", { status: { conditions } })]]);
    const childWith = (child: object | undefined, status: object = {}) => {
      const runs = new Map([["parsers-c1", ours("parsers-c1", [], { status }) as never]]);
      return statusOf(at({ children: [{ ...child, run: "parsers-c1", state: "Training" }] }, { adapters, runs })).children?.[0];
    };
    expect(childWith(children[0])).toMatchObject({ state: "Failed", why: "a, which it is made from, is refused: its artifact is gone" });
    expect(childWith(children[0], { inputs: {} })).toMatchObject({ state: "Training" });
    expect(childWith(children[2])).toMatchObject({ state: "Training" });
  });

  it("are made again with equal weights where a search of weights has nothing to measure by", () => {
    const training = [{ ...children[0], state: "Training", runUID: "u" }];
    const attempts = [{ startTime: "2026-11-22T11:00:00Z", endTime: "2026-11-22T11:01:40Z" }];
    const run = ours("parsers-c1", [], {
      spec: { resources: { gpus: 2 } },
      status: { attempts, conditions: [{ ...aCondition("Failed", "True", "NoValidationTasks"), message: "none has" }] },
    });
    const again = at({ children: training }, { runs: new Map([["parsers-c1", run as never]]) });
    expect(again.status).toMatchObject({
      children: [{ run: "parsers-e1", state: "Planned", equalWeights: true, why: expect.stringContaining("none has"), gpuSeconds: 200 }],
      spent: { gpuSeconds: 200 },
    });
    expect(at({ children }).creates[0]?.spec.merge).toMatchObject({ search: {} });
    const [made] = at({ ...again.status }).creates;
    expect(made?.metadata.name).toBe("parsers-e1");
    expect(made?.spec.merge).not.toHaveProperty("search");
    const failed = at(
      { ...again.status, children: [{ ...children[0], run: "parsers-e1", state: "Training", equalWeights: true, gpuSeconds: 200 }] },
      { runs: new Map([["parsers-e1", run as never]]) },
    );
    expect(failed.status).toMatchObject({ children: [{ state: "Failed", gpuSeconds: 400 }], spent: { gpuSeconds: 400 } });
  });

  it("aren't made beyond the GPU hours", () => {
    const former = { name: "g1", spent: { evaluations: 0, gpuSeconds: 7200 }, withoutImprovement: 0, belowBase: [], archived: [] };
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
