import type { Gate } from "@rune/crds/kinds/evaluation";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { alphaOf, baselineShare, type Evidence, endsWith, judge, thresholdOf } from "./gate.ts";

const gate: Gate = {
  candidate: "memory",
  baseline: "base",
  rule: "LowerBound",
  thresholdPoints: 5,
  confidence: "0.95",
  mode: "Full",
  minimumTasks: 40,
};
const byEstimate: Gate = { ...gate, rule: "PointEstimate" };
const noDrop: Gate = { ...gate, maxRelativeDropPercent: 10 };
const evidence = (lower: number, estimate: number, upper: number, more: Partial<Evidence> = {}): Evidence => ({
  tested: { lower, estimate, upper },
  gain: estimate,
  clusters: 48,
  effectiveClusters: 48,
  passed: 100,
  differing: 20,
  same: false,
  controlsMissing: null,
  ...more,
});

describe("a verdict", () => {
  test.each<[string, Gate, Evidence, string]>([
    ["an interval above the threshold passes", gate, evidence(6, 10, 14), "Passed"],
    ["an interval that begins at the threshold passes", gate, evidence(5, 10, 14), "Passed"],
    ["an interval around the threshold is inconclusive", gate, evidence(4.9, 10, 14), "Inconclusive"],
    ["an interval that ends at the threshold is inconclusive", gate, evidence(-3, 1, 5), "Inconclusive"],
    ["an interval below the threshold fails", gate, evidence(-3, 1, 4.9), "Failed"],
    ["the estimate alone passes by the plan's rule", byEstimate, evidence(-3, 5, 20), "Passed"],
    ["the estimate alone fails by the plan's rule", byEstimate, evidence(-3, 4.9, 20), "Failed"],
    ["no loss passes a gate that allows one", { ...gate, thresholdPoints: -5 }, evidence(-4, 0, 4), "Passed"],
    ["a drop that is surely smaller passes", noDrop, evidence(0, 3, 6), "Passed"],
    ["a drop that may be larger is inconclusive", noDrop, evidence(-0.1, 3, 6), "Inconclusive"],
    ["a drop that is surely larger fails", noDrop, evidence(-6, -3, -0.1), "Failed"],
    ["arms that solved the same pass a gate that allows a drop", noDrop, evidence(1, 5, 9, { differing: 0 }), "Passed"],
    [
      "few tasks decide in a smoke test",
      { ...gate, mode: "Smoke" },
      evidence(6, 10, 14, { clusters: 25, effectiveClusters: 25 }),
      "Passed",
    ],
    ["a pass without the control arms is none", gate, evidence(6, 20, 30, { controlsMissing: "add them" }), "Inconclusive"],
    ["a fail needs no control arms", gate, evidence(-30, -20, -6, { controlsMissing: "add them" }), "Failed"],
  ])("%s", (_, rule, given, expected) => {
    expect(judge(rule, given).verdict).toBe(expected);
  });

  test.each<[string, Partial<Gate>, Partial<Evidence>, RegExp]>([
    ["fewer clusters than the gate asks for", {}, { clusters: 39, effectiveClusters: 39 }, /39 independent tasks .* the 40 .*; add tasks/],
    ["a single cluster", { minimumTasks: 1 }, { clusters: 1, effectiveClusters: 1 }, /too few for any verdict, which takes 10; add tasks/],
    ["two clusters", { minimumTasks: 1 }, { clusters: 2, effectiveClusters: 2 }, /too few for any verdict/],
    ["five clusters", { minimumTasks: 1 }, { clusters: 5, effectiveClusters: 5 }, /too few for any verdict/],
    ["five clusters of a smoke test", { mode: "Smoke" }, { clusters: 5, effectiveClusters: 5 }, /too few for any verdict/],
    ["forty clusters, one of which holds nearly all tasks", {}, { clusters: 40, effectiveClusters: 1.2 }, /worth 1\.2 independent tasks/],
    ["one arm measured against itself", {}, { same: true }, /are the same model/],
    ["0 against 0 where no gain is asked for", { thresholdPoints: 0 }, { passed: 0, differing: 0 }, /no program of either arm passed/],
    ["0 against 0 where a loss is allowed", { thresholdPoints: -100 }, { passed: 0, differing: 0 }, /no program of either arm passed/],
    ["arms that solved the same", { thresholdPoints: 0 }, { differing: 0 }, /solved every task equally often/],
  ])("is never that the gate passed, by either rule, for %s", (_, asked, given, why) => {
    for (const rule of ["LowerBound", "PointEstimate"] as const) {
      const judgement = judge({ ...gate, ...asked, rule }, evidence(50, 60, 70, given));
      expect(judgement.verdict).toBe("Inconclusive");
      expect(judgement.why).toMatch(why);
    }
  });

  test("of an arm against itself may be that it failed: a control arm says that the gate is one", () => {
    expect(judge(gate, evidence(-3, 0, 3, { same: true })).verdict).toBe("Failed");
  });

  test("of a drop says what it is measured by", () => {
    expect([thresholdOf(noDrop), baselineShare(noDrop)]).toEqual([0, 0.9]);
    expect([thresholdOf(gate), baselineShare(gate)]).toEqual([5, 1]);
    expect(judge(noDrop, evidence(1, 3, 6)).why).toBe("the whole interval is at 90 % of the baseline's Pass@1 or above");
  });

  test("ends an evaluation at its last look, and earlier only where intervals allow for it", () => {
    const passed = judge(gate, evidence(6, 10, 14));
    const undecided = judge(gate, evidence(4, 10, 14));
    expect(endsWith("LowerBound", passed, { number: 1, of: 3 })).toBe(true);
    expect(endsWith("LowerBound", undecided, { number: 2, of: 3 })).toBe(false);
    expect(endsWith("LowerBound", undecided, { number: 3, of: 3 })).toBe(true);
    expect(endsWith("PointEstimate", passed, { number: 1, of: 3 })).toBe(false);
  });

  test("has an interval of its own confidence, stricter where it is looked at early", () => {
    expect(alphaOf({ ...gate, confidence: "0.99" }, { number: 1, of: 1 })).toBeCloseTo(0.01, 12);
    expect(alphaOf(gate, { number: 1, of: 3 })).toBeLessThan(0.001);
  });

  const anyGate = fc.record({ thresholdPoints: fc.integer({ min: -100, max: 100 }), minimumTasks: fc.integer({ min: 1, max: 60 }) });
  const anyEvidence = fc
    .record({
      ends: fc.array(fc.integer({ min: -100, max: 100 }), { minLength: 3, maxLength: 3 }),
      clusters: fc.integer({ min: 1, max: 60 }),
      share: fc.double({ min: 0.1, max: 1, noNaN: true }),
      passed: fc.nat(3),
      differing: fc.nat(3),
      same: fc.boolean(),
      controlsMissing: fc.constantFrom(null, "add them"),
    })
    .map(({ ends, clusters, share, ...rest }) => {
      const [lower = 0, estimate = 0, upper = 0] = ends.toSorted((a, b) => a - b);
      return evidence(lower, estimate, upper, { clusters, effectiveClusters: Math.max(1, clusters * share), ...rest });
    });

  test("by the interval is never contradicted by the one by the estimate", () => {
    fc.assert(
      fc.property(anyGate, anyEvidence, (asked, given) => {
        const [strict, plain] = (["LowerBound", "PointEstimate"] as const).map((rule) => judge({ ...gate, ...asked, rule }, given).verdict);
        if (strict !== "Inconclusive") expect(plain).toBe(strict);
        if (plain === "Inconclusive") expect(strict).toBe("Inconclusive");
      }),
    );
  });

  test("that is a pass is one for every lower threshold", () => {
    fc.assert(
      fc.property(anyGate, anyEvidence, (asked, given) => {
        const passes = (thresholdPoints: number) =>
          judge({ ...gate, ...asked, thresholdPoints, rule: "LowerBound" }, given).verdict === "Passed";
        if (passes(asked.thresholdPoints) && asked.thresholdPoints > -100) expect(passes(asked.thresholdPoints - 1)).toBe(true);
      }),
    );
  });
});
