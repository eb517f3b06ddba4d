import { describe, expect, it } from "vitest";
import type { Services } from "../shared/services.ts";
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
  taskSet,
} from "../testing/evolution-world.ts";
import { observe } from "./observe.ts";
import type { World } from "./world.ts";

describe("pruning", () => {
  const former = {
    name: "g1",
    spent: { evaluations: 2, gpuSeconds: 0 },
    withoutImprovement: 0,
    belowBase: [
      { name: "low", generations: 1 },
      { name: "king", generations: 1 },
    ],
    archived: [],
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
    ["too few would be left, since some were deleted", { adapters: adaptersOf("low", "king") }, {}],
    [
      "too few would be left, since some are archived",
      {
        adapters: new Map(
          ["a", "b", "low", "new", "king"].map((name) => [name, anAdapter(name, { status: { archived: name < "c" || name === "new" } })]),
        ),
      },
      {},
    ],
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
    former: { name: "parsers", spent: { evaluations: 3, gpuSeconds: 60 }, withoutImprovement: 1, belowBase: [], archived: [], ...more },
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
      former: { name: "parsers", best: { adapter: "of-c1" }, spent: { evaluations: 1 }, withoutImprovement: 0, archived: [] },
      ttlSecondsAfterFinished: 60,
    });
  });

  it("names whom it promoted to the next one", () => {
    const [next] = at({}, {}, { promoted: "of-c1" }).creates;
    expect(next?.spec.former).toMatchObject({ promoted: "of-c1" });
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

  it("isn't that of another chain's first generation, which has the name of its own by now: its step is read", async () => {
    const former = { name: "root", spent: { evaluations: 0, gpuSeconds: 0 }, withoutImprovement: 0, belowBase: [], archived: [] };
    const spec = {
      generation: 2,
      rootRef: { name: "root", uid: "uid-of-root" },
      former,
      variation: { merge: {}, generate: { hypernetwork: { run: "reader" } } },
    };
    const generation = aGeneration({ name: "root-g2", spec, status: { ...selected, children: [aChild("root-g2-c1", "Planned")] } });
    const observedBeside = (root: object) => {
      const objects = new Map<string, unknown>([
        ["EvolutionGeneration root", root],
        ["TrainingRun reader", ours("reader")],
      ]);
      const cache = ({ kind }: { kind: string }) => ({
        get: ({ name }: { name: string }) => objects.get(`${kind} ${name}`),
        list: () => [],
      });
      return observe(generation, { cache } as never, {} as Services);
    };
    const root = aGeneration({ name: "root", spec: { suspend: true } });
    expect(await observedBeside(root)).toMatchObject({ root, generatorRun: undefined });
    const another = { ...root, metadata: { ...root.metadata, uid: "uid-of-another" } };
    expect(await observedBeside(another)).toMatchObject({ root: undefined, generatorRun: { metadata: { name: "reader" } } });
  });

  it("ends with what it had suspended", () => {
    const generation = aGeneration({ status: { ...status, paused: true } });
    expect(decideOn({ generation, runs: new Map([["parsers-c1", held as never]]) })).toMatchObject({
      applies: [{ spec: { suspend: false } }],
    });
    expect(decideOn({ generation, runs: new Map([["parsers-c1", run as never]]) }).status).toEqual({ paused: undefined });
  });
});
