import type { MeasuredTasks } from "@rune/crds/fields/measurement";
import type { Adapter } from "@rune/crds/kinds/adapter";
import { describe, expect, it } from "vitest";
import { aCondition, aSession, now } from "../testing/builders.ts";
import { config, digestOf } from "../testing/objects.ts";
import { aSessionWorld, servedBase as baseDigest, aServer as server } from "../testing/session-world.ts";
import { decide } from "./decide.ts";
import { chooseAdapter } from "./retrieval.ts";

describe("the choice of memory", () => {
  const billing = { project: "tessera", domain: "billing" };
  const own = { digest: digestOf("c"), tasks: 48, scope: { project: "tessera" } };
  const easy = { ...own, digest: digestOf("e") };
  type Measured = readonly [lower: string, taskSet: MeasuredTasks, time?: string];
  const adapter = (name: string, scope: object, measured: readonly Measured[] = [], more: object = {}): Adapter =>
    ({
      metadata: { name, creationTimestamp: "2026-11-23T10:00:00Z" },
      spec: { base: { digest: baseDigest }, artifact: { digest: digestOf("a") }, scope },
      status: {
        conditions: [aCondition("Ready")],
        evidence: measured.map(([lower, taskSet, time = "2026-11-23T11:00:00Z"]) => ({
          passAt1: { estimate: lower, lower, upper: lower },
          taskSet,
          time,
        })),
        ...more,
      },
    }) as unknown as Adapter;
  const control = () => {
    const plain = adapter("x", { project: "tessera" });
    return { ...plain, spec: { ...plain.spec, control: true as const } };
  };
  const session = aSession({ spec: { scope: billing } });
  const ranking = (...adapters: Adapter[]) => chooseAdapter(session, baseDigest, adapters).considered?.map(({ name }) => name);

  it("prefers the narrower scope, then the better lower bound", () => {
    const adapters = [
      adapter("wide", { project: "tessera" }, [["0.9", own]]),
      adapter("narrow-low", billing, [["0.1", own]]),
      adapter("narrow-high", billing, [["0.3", own]]),
    ];
    expect(chooseAdapter(session, baseDigest, adapters)).toMatchObject({
      name: "narrow-high",
      reason: "MostRelevant",
      message: expect.stringContaining(`lower bound 0.3, on 48 tasks of ${own.digest}`),
      considered: [
        { name: "narrow-high", score: "2.300" },
        { name: "narrow-low", score: "2.100" },
        { name: "wide", score: "1.900" },
      ],
    });
  });

  it.each<[string, Measured[]]>([
    ["an easy set of its own", [["1.0", easy]]],
    ["a larger easy set of its own", [["1.0", { ...easy, tasks: 500 }]]],
    ["a set of another project", [["1.0", { ...easy, scope: { project: "other" } }]]],
    ["a set of another domain", [["1.0", { ...easy, scope: { project: "tessera", domain: "parsing" } }]]],
    ["a set of no scope", [["1.0", { digest: easy.digest, tasks: 164 }]]],
    ["a few tasks of the set", [["1.0", { ...own, tasks: 2, seed: 7 }]]],
    [
      "an easy set beside the hard one",
      [
        ["1.0", easy],
        ["0.1", own],
      ],
    ],
  ])("ranks no adapter higher for %s", (_, measured) => {
    const others = [adapter("good", billing, [["0.6", own]]), adapter("fair", billing, [["0.4", own]])];
    expect(ranking(adapter("x", billing, measured), ...others)).toEqual(["good", "fair", "x"]);
  });

  it("compares by the set that most were measured on, then the narrowest, then the one measured first", () => {
    const narrow = { ...own, digest: digestOf("d"), scope: billing };
    const mineAndOther = (mine: MeasuredTasks, other: MeasuredTasks, time?: string) =>
      ranking(adapter("mine", billing, [["0.2", mine, time]]), adapter("other", billing, [["0.9", other]]));
    expect(mineAndOther(narrow, own)).toEqual(["mine", "other"]);
    expect(mineAndOther(own, narrow)).toEqual(["other", "mine"]);
    expect(mineAndOther(own, { ...easy, tasks: 500 }, "2026-11-22T00:00:00Z")).toEqual(["mine", "other"]);
    expect(mineAndOther(own, easy, "2026-11-24T00:00:00Z")).toEqual(["other", "mine"]);
    const third = adapter("third", billing, [["0.1", easy]]);
    const two = [adapter("mine", billing, [["0.2", narrow]]), adapter("other", billing, [["0.9", easy]]), third];
    expect(ranking(...two)).toEqual(["other", "third", "mine"]);
  });

  it("prefers champions, of the narrowest scope first, to all others", () => {
    const champion = (name: string, scope: object, lower: string, of: object = scope) =>
      adapter(name, scope, [[lower, own]], { champion: of });
    const others = [adapter("narrow", billing, [["0.9", own]]), adapter("wide", { project: "tessera" })];
    const root = champion("root", { project: "tessera" }, "0.2");
    expect(ranking(...others, root)).toEqual(["root", "narrow", "wide"]);
    expect(ranking(...others, root, champion("of-domain", billing, "0.1"))).toEqual(["of-domain", "root", "narrow", "wide"]);
    const widened = champion("widened", { ...billing, task: "t9" }, "0.1", billing);
    expect(chooseAdapter(session, baseDigest, [...others, widened])).toMatchObject({
      name: "widened",
      message: expect.stringContaining("the champion of tessera/billing"),
      considered: [{ score: "6.100" }, { score: "2.900" }, { score: "1.000" }],
    });
    expect(ranking(...others, champion("elsewhere", billing, "0.1", { project: "other" }))).toEqual(["narrow", "elsewhere", "wide"]);
  });

  const withBase = (upper: string, base: string) => ({
    evidence: [
      {
        passAt1: { estimate: "0.2", lower: "0.1", upper },
        base: { estimate: base, lower: "0", upper: "1" },
        evaluation: "e7",
        taskSet: own,
      },
    ],
  });

  it("takes none that failed its newest gate, or that is worse than the base on the same tasks, and says so", () => {
    const failed = adapter("failed", billing, [["0.9", own]], { gate: { verdict: "Failed", evaluation: "e9" } });
    const worse = adapter("worse", billing, [], withBase("0.30", "0.31"));
    const even = adapter("even", billing, [], withBase("0.31", "0.31"));
    expect(chooseAdapter(session, baseDigest, [failed, worse, even])).toMatchObject({
      name: "even",
      considered: [{ name: "even" }],
      message: expect.stringMatching(/2 passed over: .*failed: it failed the gate of the Evaluation e9/),
    });
    expect(chooseAdapter(session, baseDigest, [worse])).toMatchObject({
      reason: "NoneRelevant",
      message: expect.stringContaining("worse: its Pass@1 is at most 0.30, and the base's 0.31, in the Evaluation e7"),
      considered: [],
    });
    const champion = adapter("champion", billing, [], { ...withBase("0.30", "0.31"), champion: billing });
    expect(ranking(champion, even)).toEqual(["even"]);
  });

  it.each(["Passed", "Inconclusive"])("takes one whose newest gate was %s", (verdict) => {
    expect(ranking(adapter("x", billing, [], { gate: { verdict, evaluation: "e" } }))).toEqual(["x"]);
  });

  it("gives one that failed its gate to a session that names it", () => {
    const failed = adapter("x", billing, [], { gate: { verdict: "Failed", evaluation: "e9" } });
    const fixed = aSession({ spec: { adapter: { policy: "Fixed", name: "x" } } });
    expect(chooseAdapter(fixed, baseDigest, [failed])).toMatchObject({ name: "x", reason: "PolicyFixed" });
  });

  it("says of an adapter that was measured elsewhere alone that it isn't measured", () => {
    const elsewhere = adapter("x", billing, [["0.9", { ...own, scope: { project: "other" } }]]);
    expect(chooseAdapter(session, baseDigest, [elsewhere])).toMatchObject({
      name: "x",
      message: expect.stringContaining("not measured on tasks of its scope"),
      considered: [{ score: "2.000" }],
    });
  });

  it.each([
    ["of another project", adapter("x", { project: "other" })],
    ["of another domain", adapter("x", { project: "tessera", domain: "parsing" })],
    ["without a scope", adapter("x", {})],
    ["that is archived", adapter("x", { project: "tessera" }, [], { archived: true })],
    ["that isn't verified", adapter("x", { project: "tessera" }, [], { conditions: [] })],
    ["that is a control", control()],
  ])("is none where there is only an adapter %s", (_, only) => {
    expect(chooseAdapter(session, baseDigest, [only])).toMatchObject({ reason: "NoneRelevant" });
  });

  it("is none for another base, and a Fixed one says so", () => {
    expect(chooseAdapter(session, digestOf("9"), [adapter("x", { project: "tessera" })])).toMatchObject({ reason: "NoneRelevant" });
    const fixed = aSession({ spec: { adapter: { policy: "Fixed", name: "x" } } });
    expect(chooseAdapter(fixed, digestOf("9"), [adapter("x", {})])).toMatchObject({ reason: "BaseMismatch" });
  });

  it("is never a control adapter: a session that names one ends in words, before anything runs", () => {
    const fixed = aSession({ spec: { adapter: { policy: "Fixed", name: "x" } } });
    const outcome = decide(aSessionWorld({ session: fixed, server, adapters: [control()] }), config, async () => {}, now);
    expect(outcome).toMatchObject({ kind: "failed", reason: "ControlAdapter", creates: [] });
    expect(outcome.message).toContain("knows nothing; only Evaluations use it");
  });
});
