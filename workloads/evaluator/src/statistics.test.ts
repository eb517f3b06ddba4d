import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { meanPassAtK, pairedGain, passAt1, passAtK } from "./statistics.ts";

const scores = (passed: number[], samples = 5) => passed.map((count, index) => ({ cluster: `c${index}`, samples, passed: count }));

describe("pass@k", () => {
  /** The last three: 1 - C(n-c, k) / C(n, k) in whole numbers, by Python's math.comb. */
  test.each([
    [5, 0, 1, 0],
    [5, 5, 1, 1],
    [5, 2, 1, 0.4],
    [5, 2, 5, 1],
    [4, 1, 2, 0.5],
    [10, 3, 2, 1 - (7 * 6) / (10 * 9)],
    [200, 1, 100, 0.5],
    [200, 13, 10, 0.4975511147306],
    [100, 7, 25, 0.876006727396],
    [20, 3, 5, 1 - 6188 / 15504],
  ])("of %d samples with %d passes at k=%d is %d", (n, c, k, expected) => {
    expect(passAtK(n, c, k)).toBeCloseTo(expected, 12);
  });

  test.each([
    [5, 6, 1],
    [5, -1, 1],
    [5, 1, 6],
    [5, 1, 0],
    [0, 0, 1],
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

  test("is averaged over tasks, each of which counts the same however often it was sampled", () => {
    expect(meanPassAtK(scores([0, 5, 1]), 1)).toBeCloseTo((0 + 1 + 0.2) / 3, 12);
    expect(meanPassAtK([...scores([1], 2), ...scores([10], 10)], 1)).toBeCloseTo(0.75, 12);
  });

  test("of no tasks is an error, as it is of a task with fewer samples", () => {
    expect(() => meanPassAtK([], 1)).toThrow(RangeError);
    expect(() => meanPassAtK([...scores([1], 2), ...scores([5], 5)], 5)).toThrow(RangeError);
  });
});

describe("an arm and a gain", () => {
  test("are told with their intervals, the gain in points", () => {
    expect(passAt1(scores([0, 5, 1, 2])).estimate).toBeCloseTo(0.4, 12);
    // scipy.stats.ttest_1samp([10, 30, -10, 20], 0).confidence_interval()
    const gain = pairedGain([0.1, 0.3, -0.1, 0.2].map((more, index) => ({ cluster: `${index}`, baseline: 0.4, candidate: 0.4 + more })));
    expect(gain.estimate).toBeCloseTo(12.5, 9);
    expect(gain.lower).toBeCloseTo(-14.675308838, 8);
    expect(gain.upper).toBeCloseTo(39.675308838, 8);
  });

  test("of tasks that differ in difficulty alone: the gain's is the narrower", () => {
    const rates = Array.from({ length: 100 }, (_, index) => (index % 5) / 5);
    const gain = pairedGain(rates.map((baseline, index) => ({ cluster: `${index}`, baseline, candidate: baseline + (index % 2) / 5 })));
    const arm = passAt1(rates.map((rate, index) => ({ cluster: `${index}`, samples: 5, passed: Math.round(5 * rate) })));
    expect(gain.estimate).toBeCloseTo(10, 9);
    expect(gain.upper - gain.lower).toBeLessThan(100 * (arm.upper - arm.lower) * 0.5);
  });

  test("of a task without samples are an error, not a number", () => {
    expect(() => passAt1([{ cluster: "a", samples: 0, passed: 0 }])).toThrow(RangeError);
  });
});

function subsetsOf<T>(items: readonly T[], size: number): T[][] {
  if (size === 0) return [[]];
  return items.flatMap((item, index) => subsetsOf(items.slice(index + 1), size - 1).map((rest) => [item, ...rest]));
}
