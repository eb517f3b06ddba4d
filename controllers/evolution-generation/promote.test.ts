import { describe, expect, it } from "vitest";
import {
  aChild,
  adaptersOf,
  aGeneration,
  aMember,
  anAdapter,
  decideOn,
  interval,
  ours,
  promotionTaskSet,
  selected,
  statusOf,
  taskSet,
  text,
} from "../testing/evolution-world.ts";
import { baseDigest } from "../testing/objects.ts";
import { absentChampionsOf, championsIn, championsOf } from "./champions.ts";
import type { Child, World } from "./world.ts";

describe("promotion", () => {
  const kept = (kind: Child["kind"], run: string, passAt1: number, more: Partial<Child> = {}) =>
    aChild(run, "Kept", { kind, passAt1: interval(passAt1), ...more });
  const family = (merge: number, mean: number, union: number, scaled = 0.45) => ({
    ...selected,
    children: [
      kept("Merge", "c1", merge),
      kept("Mean", "c2", mean),
      kept("UnionRetrain", "c3", union),
      kept("ScaledParent", "c4", scaled, { parents: ["a"], like: "of-c1" }),
    ],
  });
  const names = ["a", "b", "of-c1", "of-c2", "of-c3", "of-c4"];
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
      taskSet: { repository: promotionTaskSet.repository, digest: promotionTaskSet.digest, part: "Test" },
    });
    expect(evaluation?.spec.arms.map(({ name }: { name: string }) => name)).toEqual([
      "base",
      "candidate",
      "parent",
      "mean",
      "union",
      "scaled",
    ]);
  });

  it("takes a generated child as it takes a merged one", () => {
    const { children, ...rest } = family(0.7, 0.6, 0.5);
    const generated = kept("Generate", "c5", 0.8);
    expect(at({ ...rest, children: [...children, generated] }).status).toMatchObject({
      children: [{}, {}, {}, {}, {}, { kind: "ScaledParent", parents: ["a"], like: "of-c5" }],
    });
  });

  it("measures the best parent at the candidate's strength first, once, unless that isn't asked for", () => {
    const { children, ...rest } = family(0.7, 0.6, 0.5);
    const three = { ...rest, children: children.slice(0, 3) };
    expect(at(three).status).toEqual({
      children: [...three.children, { run: "parsers-c4", kind: "ScaledParent", parents: ["a"], like: "of-c1", state: "Planned" }],
    });
    const failed = { ...rest, children: [...three.children, aChild("c4", "Failed", { kind: "ScaledParent", like: "of-c1" })] };
    expect(at(failed).status).toMatchObject({ promotion: { candidate: "of-c1" } });
    const generation = aGeneration({ status: three, spec: { variation: { merge: {}, scaledParent: false } } });
    expect(decideOn({ generation, adapters: adaptersOf(...names) }).status).toMatchObject({ promotion: { candidate: "of-c1" } });
  });

  it("compares with the scaled parent where that is better than the parent as it was, and not at all where it is better than the child", () => {
    const chosen = at(family(0.7, 0.6, 0.5, 0.65));
    expect(chosen.status).toMatchObject({ promotion: { baseline: "of-c4" } });
    const [evaluation] = at({ ...family(0.7, 0.6, 0.5, 0.65), ...chosen.status }).creates;
    expect(evaluation?.spec.gate.baseline).toBe("scaled");
    expect(at(family(0.7, 0.6, 0.5, 0.7)).status).toMatchObject({
      promotion: {
        outcome: "NotPromoted",
        why: expect.stringContaining("the scaled parent of-c4 0.700 (0.650 to 0.750) as strong as of-c1"),
      },
    });
  });

  it("has an arm of other tasks' adapters where sessions of its tasks would choose several as the population is by then", () => {
    const armsWith = (over: Partial<World>) => {
      const chosen = at(family(0.7, 0.6, 0.5), over);
      const [evaluation] = at({ ...family(0.7, 0.6, 0.5), ...chosen.status }).creates;
      return [statusOf(chosen).promotion, evaluation?.spec.arms.at(-1).name];
    };
    const several = ["k0", "k1"].map((task) => anAdapter(task, { spec: { scope: { ...text, task } } }));
    expect(armsWith({ population: several })).toMatchObject([{ shuffled: true }, "shuffled"]);
    // Every session of its scope chooses a champion.
    const champion = anAdapter("king", { status: { champion: text } });
    expect(armsWith({ population: [...several, champion] })).toMatchObject([{ shuffled: false }, "scaled"]);
    const large = anAdapter("k1", { spec: { scope: { ...text, task: "k1" }, rank: 512 } });
    expect(armsWith({ population: [several[0] as typeof large, large] })).toMatchObject([{ shuffled: false }, "scaled"]);
  });

  it("waits for its tasks while they can't be read, and doesn't happen where they are gone", () => {
    const blocked = (retrySeconds?: number) =>
      at(family(0.7, 0.6, 0.5), { deciding: { blocker: { reason: "R", message: "no tasks", retrySeconds } } });
    expect(blocked(10)).toMatchObject({ kind: "waiting", reason: "R", status: undefined });
    expect(blocked().status).toMatchObject({
      promotion: { candidate: "of-c1", outcome: "NotPromoted", why: "of-c1 couldn't be tested: no tasks" },
    });
  });

  it("compares with the champion where that is better than the best parent", () => {
    const champion = anAdapter("king", { status: { champion: text } });
    const members = [...selected.members, aMember("king", 0.6)];
    const chosen = at({ ...family(0.7, 0.6, 0.5), members }, { champions: [{ adapter: champion, scope: text }] });
    expect(chosen.status).toMatchObject({ promotion: { incumbent: "king", baseline: "king" } });
    const generation = aGeneration({ status: { ...family(0.7, 0.6, 0.5), members, ...chosen.status } });
    const [evaluation] = decideOn({ generation, adapters: adaptersOf(...names, "king") }).creates;
    expect(evaluation?.spec.gate.baseline).toBe("champion");
  });

  it.each([
    ["isn't Ready", { status: { champion: text, conditions: [] } }],
    ["is too large for the server", { status: { champion: text }, spec: { rank: 512 } }],
  ])("leaves out a champion that %s, for which the test would wait for ever, and says so", (_, over) => {
    const members = [...selected.members, aMember("king", 0.6)];
    const status = { ...family(0.7, 0.6, 0.5), members };
    const chosen = at(status, { champions: [{ adapter: anAdapter("king", over), scope: text }] });
    expect(chosen.status).toMatchObject({
      promotion: { incumbent: "king", baseline: "a", leftOut: expect.stringContaining("the champion king isn't measured") },
      evaluations: [{}, { adapters: ["of-c1", "a", "of-c2", "of-c3", "of-c4"] }],
    });
    const [evaluation] = at({ ...status, ...chosen.status }).creates;
    expect(evaluation?.spec.arms.map(({ name }: { name: string }) => name)).not.toContain("champion");
  });

  it.each([
    ["the mean is better", family(0.7, 0.8, 0.5), /doesn't beat|no child beats .* the mean of-c2 0\.800/],
    ["the union is better", family(0.7, 0.6, 0.75), /the union of-c3 0\.750/],
    ["its best parent is", family(0.45, 0.3, 0.3, 0.3), /no better than a \(0\.500/],
    ["none was made", { ...selected, children: [aChild("c1", "Failed")] }, /no child to promote was made/],
  ])("doesn't happen where %s, and says so with intervals", (_, status, why) => {
    const outcome = at(status);
    expect(outcome.status).toMatchObject({ promotion: { outcome: "NotPromoted", why: expect.stringMatching(why) } });
    expect(outcome.conditions).toContainEqual(expect.objectContaining({ type: "Promoted", status: "False" }));
  });

  const king = { adapter: anAdapter("king", { status: { champion: text } }), scope: text };
  const queen = { adapter: anAdapter("queen", { status: { champion: text } }), scope: text };
  type Champions = World["champions"];
  const tested = (
    result: object,
    comparisons: object[] = [],
    { before = [], now = before }: { before?: Champions; now?: Champions } = {},
  ) => {
    const chosen = at(family(0.7, 0.6, 0.5), { champions: before });
    const status = { ...family(0.7, 0.6, 0.5), ...chosen.status } as { evaluations: { name: string }[] };
    const evaluations = status.evaluations.map((each) => (each.name === "parsers-p" ? { ...each, state: "Running", uid: "u" } : each));
    const found = ours("parsers-p", ["Succeeded"], {
      status: { taskSet: promotionTaskSet, delta: interval(9, 3), comparisons, ...result },
    });
    return at(
      { ...status, evaluations },
      { evaluations: new Map([["parsers-p", found as never]]), champions: now, adapters: adaptersOf(...names, "king", "queen") },
    );
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

  it("needs an interval above the margin over each parent and the champion, also where the gate compares with another", () => {
    const rival = (candidate: string, lead: object | undefined) => [{ candidate, delta: interval(8, 3), ...(lead && { lead }) }];
    const refused = (arm: string, lead: object | undefined, why: string) =>
      expect(statusOf(tested({ verdict: "Passed" }, rival(arm, lead), { before: [king] })).promotion).toMatchObject({
        outcome: "NotPromoted",
        why: expect.stringContaining(why),
      });
    refused("champion", interval(1, 3), "but 1.000 (-2.000 to 4.000) points over king (Incumbent): the whole interval must be above 0");
    refused("scaled", interval(1, 1), "points over of-c4 (ScaledParent)");
    refused("champion", undefined, "but no interval over king (Incumbent)");
    for (const [arm, lead] of [
      ["champion", interval(1, 0.5)],
      ["mean", interval(1, 3)],
      ["union", interval(1, 3)],
    ] as const)
      expect(statusOf(tested({ verdict: "Passed" }, rival(arm, lead), { before: [king] })).promotion).toMatchObject({
        outcome: "Promoted",
        rivals: [{ lead }],
      });
  });

  it("doesn't happen where another one has become the champion meanwhile, whom the next generation meets; and nobody is retired", () => {
    const outcome = tested({ verdict: "Passed" }, [], { before: [king], now: [king, queen] });
    expect(outcome.status).toMatchObject({
      promotion: { outcome: "NotPromoted", why: expect.stringContaining("queen has become the champion of parsers/text meanwhile") },
    });
    expect(statusOf(outcome).decisions).toBeUndefined();
    const elsewhere = { ...queen, scope: { project: "parsers" } };
    expect(statusOf(tested({ verdict: "Passed" }, [], { before: [king], now: [king, elsewhere] })).decisions).toHaveLength(2);
  });

  it("takes the place of all where there were several champions", () => {
    const outcome = tested({ verdict: "Passed" }, [], { before: [queen, king] });
    expect(outcome.status).toMatchObject({
      promotion: { incumbent: "king", alsoChampions: ["queen"], outcome: "Promoted" },
      decisions: [
        { kind: "Promotion", adapter: "of-c1" },
        { kind: "Retirement", adapter: "king" },
        { kind: "Retirement", adapter: "queen" },
      ],
    });
  });

  it("retires archived and deleted champions of its scope too, which can't be measured, so that a restore makes none a second one", () => {
    const former = (name: string, more: object) => anAdapter(name, { status: { champion: text, ...more } });
    const leaving = former("leaving", {});
    const deleted = { ...leaving, metadata: { ...leaving.metadata, deletionTimestamp: "2026-11-23T11:00:00Z" } };
    const now: Champions = [
      king,
      { adapter: former("old", { archived: true }), scope: text },
      { adapter: deleted, scope: text },
      // It has the candidate's weights, which the promotion is about.
      { adapter: { ...former("twin", { archived: true }), spec: anAdapter("of-c1").spec }, scope: text },
      { adapter: former("elsewhere", { archived: true }), scope: { project: "parsers" } },
      {
        adapter: anAdapter("otherBase", { status: { archived: true }, spec: { base: { name: "m", digest: taskSet.digest } } }),
        scope: text,
      },
    ];
    const outcome = tested({ verdict: "Passed" }, [], { before: now });
    expect(statusOf(outcome).promotion).toMatchObject({ incumbent: "king", outcome: "Promoted" });
    expect(statusOf(outcome).promotion).not.toHaveProperty("alsoChampions");
    expect(statusOf(outcome).decisions).toMatchObject([
      { kind: "Promotion", adapter: "of-c1" },
      { kind: "Retirement", adapter: "king" },
      { kind: "Retirement", adapter: "old" },
      { kind: "Retirement", adapter: "leaving" },
    ]);
    const archivedMeanwhile = [{ adapter: former("king", { archived: true }), scope: text }];
    expect(statusOf(tested({ verdict: "Passed" }, [], { before: [king], now: archivedMeanwhile })).decisions).toHaveLength(2);
  });

  it("knows champions that another generation has made or retired, before their Adapters show it", () => {
    const at = (adapter: string, kind: string, more: object) => ({
      kind,
      adapter,
      recorded: true,
      recordedTime: "2026-11-23T11:30:00Z",
      ...more,
    });
    const others = (more: object) => [
      aGeneration({
        name: "other",
        status: { promotion: { scope: text }, decisions: [at("of-c1", "Promotion", more), at("king", "Retirement", more)] },
      }),
    ];
    const read = (evidenceTime: string) => [
      anAdapter("of-c1", { status: { evidenceTime } }),
      anAdapter("king", { status: { champion: text, evidenceTime } }),
      anAdapter("old", { status: { champion: text, archived: true } }),
    ];
    const known = (adapters: unknown[], more: object = {}) => {
      const cache = ((resource: { kind: string }) => ({ list: () => (resource.kind === "Adapter" ? adapters : others(more)) })) as never;
      return championsIn(aGeneration(), cache);
    };
    const champions = (...given: Parameters<typeof known>) =>
      championsOf(text, baseDigest, known(...given)).map(({ metadata }) => metadata.name);
    expect(champions(read("2026-11-23T11:00:00Z"))).toEqual(["of-c1"]);
    expect(champions(read("2026-11-23T11:59:00Z"), { recorded: false, recordedTime: undefined })).toEqual(["of-c1"]);
    // Read since then, so what they show is current.
    expect(champions(read("2026-11-23T11:59:00Z"))).toEqual(["king"]);
    expect(champions(read("2026-11-23T11:00:00Z"), { recorded: false, refused: "it is gone" })).toEqual(["king"]);
    const absent = absentChampionsOf(text, baseDigest, known(read("2026-11-23T11:00:00Z")));
    expect(absent.map(({ metadata }) => metadata.name)).toEqual(["old"]);
  });
});
