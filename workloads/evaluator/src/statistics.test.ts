import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seeded } from "./random.ts";
import { clusterBootstrap, type Gate, judge, meanPassAtK, pairedDelta, passAt1, passAtK } from "./statistics.ts";

const random = () => seeded(1, "test");
const scores = (passed: number[], samples = 5, cluster = (index: number) => `c${index}`) =>
  passed.map((count, index) => ({ cluster: cluster(index), samples, passed: count }));

describe("pass@k", () => {
  test.each([
    [5, 0, 1, 0],
    [5, 5, 1, 1],
    [5, 2, 1, 0.4],
    [5, 2, 5, 1],
    [4, 1, 2, 0.5],
    [10, 3, 2, 1 - (7 * 6) / (10 * 9)],
    [200, 1, 100, 0.5],
  ])("of %d samples with %d passes at k=%d is %d", (n, c, k, expected) => {
    expect(passAtK(n, c, k)).toBeCloseTo(expected, 12);
  });

  test.each([
    [5, 6, 1],
    [5, -1, 1],
    [5, 1, 6],
    [5, 1, 0],
  ])("of %d samples with %d passes at k=%d is not defined", (n, c, k) => {
    expect(() => passAtK(n, c, k)).toThrow(RangeError);
  });

  test("is the share of k-subsets that hold a pass, counted one by one", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 8 }), fc.integer({ min: 1, max: 8 }), (samples, wanted) => {
        const k = Math.min(wanted, samples.length);
        const subsets = subsetsOf(samples, k);
        const share = subsets.filter((subset) => subset.includes(true)).length / subsets.length;
        expect(passAtK(samples.length, samples.filter(Boolean).length, k)).toBeCloseTo(share, 10);
      }),
    );
  });

  test("is averaged over tasks", () => {
    expect(meanPassAtK(scores([0, 5, 1]), 1)).toBeCloseTo((0 + 1 + 0.2) / 3, 12);
  });
});

describe("an interval", () => {
  test("is the same for the same seed", () => {
    expect(passAt1(scores([0, 1, 5, 3]), random())).toEqual(passAt1(scores([0, 1, 5, 3]), random()));
  });

  test("contains its estimate and stays among the values", () => {
    const values = fc.array(
      fc.record({ cluster: fc.constantFrom("a", "b", "c", "d"), value: fc.double({ min: -1, max: 1, noNaN: true }) }),
      {
        minLength: 1,
        maxLength: 12,
      },
    );
    fc.assert(
      fc.property(values, (given) => {
        const { estimate, lower, upper } = clusterBootstrap(given, random());
        const only = given.map(({ value }) => value);
        expect(lower).toBeLessThanOrEqual(estimate);
        expect(upper).toBeGreaterThanOrEqual(estimate);
        expect(lower).toBeGreaterThanOrEqual(Math.min(...only) - 1e-9);
        expect(upper).toBeLessThanOrEqual(Math.max(...only) + 1e-9);
      }),
      { numRuns: 30 },
    );
  });

  test("is as wide as theory says: ±1.96 standard errors of the mean over tasks", () => {
    const passed = Array.from({ length: 200 }, (_, index) => (index % 2) * 5);
    const { lower, upper } = passAt1(scores(passed), random());
    expect((upper - lower) / 2).toBeCloseTo(1.96 * Math.sqrt(0.25 / 200), 2);
  });

  test("is wider where tasks stand or fall together", () => {
    const passed = Array.from({ length: 48 }, (_, index) => (Math.floor(index / 3) % 2) * 5);
    const apart = passAt1(scores(passed), random());
    const together = passAt1(
      scores(passed, 5, (index) => `f${Math.floor(index / 3)}`),
      random(),
    );
    expect(together.estimate).toBe(apart.estimate);
    expect(together.upper - together.lower).toBeGreaterThan(1.5 * (apart.upper - apart.lower));
  });

  test("of a gain is in points, and narrower than the arms' own where tasks differ in difficulty alone", () => {
    const easy = Array.from({ length: 100 }, (_, index) => (index % 5) / 5);
    const delta = pairedDelta(
      easy.map((baseline, index) => ({ cluster: `${index}`, baseline, candidate: baseline + 0.1 })),
      random(),
    );
    expect(delta.estimate).toBeCloseTo(10, 9);
    expect(delta.upper - delta.lower).toBeLessThan(1e-9);
  });

  test("of nothing is an error", () => {
    expect(() => clusterBootstrap([], random())).toThrow(RangeError);
  });

  test("covers the truth in about 95 of 100 experiments", () => {
    const world = seeded(5, "world");
    const covered = Array.from({ length: 200 }, (_, run) => {
      const values = Array.from({ length: 60 }, (_unused, index) => ({ cluster: `${index}`, value: world() < 0.3 ? 1 : 0 }));
      const { lower, upper } = clusterBootstrap(values, seeded(run, "bootstrap"), 1000);
      return lower <= 0.3 && 0.3 <= upper;
    }).filter(Boolean).length;
    expect(covered).toBeGreaterThanOrEqual(180);
    expect(covered).toBeLessThan(200);
  }, 60_000);
});

describe("a verdict", () => {
  const gate: Gate = { rule: "LowerBound", thresholdPoints: 5, minimumTasks: 40 };
  const evidence = (lower: number, estimate: number, upper: number, more = {}) => ({
    delta: { lower, estimate, upper },
    tasks: 48,
    passed: 100,
    ...more,
  });
  test.each([
    ["an interval above the threshold passes", gate, evidence(6, 10, 14), "Passed"],
    ["an interval that begins at the threshold passes", gate, evidence(5, 10, 14), "Passed"],
    ["an interval around the threshold is inconclusive", gate, evidence(4.9, 10, 14), "Inconclusive"],
    ["an interval that ends at the threshold is inconclusive", gate, evidence(-3, 1, 5), "Inconclusive"],
    ["an interval below the threshold fails", gate, evidence(-3, 1, 4.9), "Failed"],
    ["the estimate alone passes by the plan's rule", { ...gate, rule: "PointEstimate" as const }, evidence(-3, 5, 20), "Passed"],
    ["the estimate alone fails by the plan's rule", { ...gate, rule: "PointEstimate" as const }, evidence(-3, 4.9, 20), "Failed"],
    ["too few tasks are inconclusive, however large the gain", gate, evidence(50, 60, 70, { tasks: 39 }), "Inconclusive"],
    [
      "too few tasks are inconclusive by the plan's rule as well",
      { ...gate, rule: "PointEstimate" as const },
      evidence(50, 60, 70, { tasks: 39 }),
      "Inconclusive",
    ],
    ["0 against 0 fails where a gain is asked for", gate, evidence(0, 0, 0, { passed: 0 }), "Failed"],
    [
      "0 against 0 is inconclusive where none is asked for",
      { ...gate, thresholdPoints: 0 },
      evidence(0, 0, 0, { passed: 0 }),
      "Inconclusive",
    ],
    ["0 against 0 doesn't pass for being no loss", { ...gate, thresholdPoints: -5 }, evidence(0, 0, 0, { passed: 0 }), "Inconclusive"],
    [
      "0 against 0 doesn't pass by the plan's rule",
      { ...gate, rule: "PointEstimate" as const, thresholdPoints: 0 },
      evidence(0, 0, 0, { passed: 0 }),
      "Inconclusive",
    ],
    ["no loss passes a gate that allows one", { ...gate, thresholdPoints: -5 }, evidence(-4, 0, 4), "Passed"],
  ])("%s", (_, rule, given, expected) => {
    expect(judge(rule, given).verdict).toBe(expected);
  });
});

function subsetsOf<T>(items: readonly T[], size: number): T[][] {
  if (size === 0) return [[]];
  return items.flatMap((item, index) => subsetsOf(items.slice(index + 1), size - 1).map((rest) => [item, ...rest]));
}
