import { criticalZ } from "@rune/clients/statistics/normal";
import { type Random, seeded, shuffled } from "@rune/clients/statistics/random";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { differenceInterval, type Estimate, effectiveClusters, shareInterval, type Value, wilson } from "./intervals.ts";

/** One list per cluster. */
const inClusters = (...clusters: number[][]): Value[] =>
  clusters.flatMap((values, index) => values.map((value) => ({ cluster: `c${index}`, value })));
const alone = (values: readonly number[]) => inClusters(...values.map((value) => [value]));
const repeated = <T>(times: number, value: T): T[] => Array.from({ length: times }, () => value);

function expectInterval({ estimate, lower, upper }: Estimate, expected: readonly [number, number, number], digits = 9): void {
  expect(estimate).toBeCloseTo(expected[0], digits);
  expect(lower).toBeCloseTo(expected[1], digits);
  expect(upper).toBeCloseTo(expected[2], digits);
}

describe("Wilson's interval", () => {
  /** Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3; more digits by statsmodels 0.14. */
  test.each([
    [81, 263, 0.2552885198782742, 0.36620957698280004],
    [15, 148, 0.06238639953073628, 0.16048724172330803],
    [0, 20, 0, 0.1611251580528194],
    [1, 29, 0.006113214292762667, 0.17175521879320294],
    [3, 10, 0.10779126740630104, 0.6032218525388546],
    [16, 16, 0.8063923194655633, 1],
  ])("of %d in %d is %d to %d", (passed, trials, lower, upper) => {
    const interval = wilson(passed / trials, trials, criticalZ(0.05));
    expect(interval.lower).toBeCloseTo(lower, 10);
    expect(interval.upper).toBeCloseTo(upper, 10);
  });
});

describe("the interval of a difference", () => {
  test("is the paired t interval where every task is a cluster: Student's sleep data of 1908", () => {
    // R: t.test(extra ~ group, sleep, paired = TRUE) gives 1.58 [0.7001142, 2.4598858] hours; here a tenth of it.
    const hours = [1.2, 2.4, 1.3, 1.3, 0, 1, 1.8, 0.8, 4.6, 1.4];
    expectInterval(differenceInterval(alone(hours.map((each) => each / 10))), [0.158, 0.07001142, 0.24598858], 8);
  });

  /**
   * Computed by matrices with numpy and scipy: task-level regression on an intercept, working covariance Φ of ones within clusters,
   * residuals e = (I - H) y with covariance R = (I - H) Φ (I - H)'; A = J / n / √(1' R_gg 1 / n²) makes R_gg what Φ_gg is;
   * V = Σ (M x' A e)²; df = tr(P)² / Σ P², P = g' Φ g with g = (I - H)_g A x M. Equal sizes: also scipy.stats.ttest_1samp of the means.
   */
  test.each<[string, number[][], [number, number, number]]>([
    ["one task a cluster", [[0.2], [0.4], [0.9], [0.1], [0.6]], [0.44, 0.041505160765109, 0.838494839234891]],
    [
      "three tasks a cluster",
      [
        [0, 0.2, 0.4],
        [1, 0.8, 0.6],
        [0.4, 0.4, 0.2],
        [0, 0, 0.2],
      ],
      [0.35, -0.157826726942937, 0.857826726942937],
    ],
    [
      "clusters of one to six tasks",
      [[0.1], [0.2, 0.4], [0.6, 0.6, 0.9], [0, 0.2, 0, 0.4, 0.2, 0.2], [1, 1, 1, 1, 1], [0.5]],
      [0.516666666666667, -0.454366597944037, 1],
    ],
    ["one cluster that holds most", [repeated(10, 0), [1], [0], [1], [0.4]], [0.171428571428571, -1, 1]],
  ])("is what matrices give for %s", (_, clusters, expected) => {
    expectInterval(differenceInterval(inClusters(...clusters)), expected);
  });

  /** Wilson's upper bound of 0 in 16 is .193608, of 0 in 164 .022887. */
  test.each<[string, number[], [number, number, number]]>([
    ["no difference in 16 clusters", repeated(16, 0), [0, -0.193608, 0.193608]],
    ["no difference in 164 clusters", repeated(164, 0), [0, -0.022887, 0.022887]],
    ["everything gained in 16 clusters", repeated(16, 1), [1, 0.612785, 1]],
    ["everything lost in 16 clusters", repeated(16, -1), [-1, -1, -0.612785]],
    ["the same gain in each of 16 clusters", repeated(16, 0.2), [0.2, -0.032329, 0.354886]],
    ["a single task", [0.5], [0.5, -0.690176, 0.896725]],
  ])("leaves room for what wasn't seen: %s", (_, values, expected) => {
    expectInterval(differenceInterval(alone(values)), expected, 6);
  });

  test("of few clusters is no narrower for their many tasks", () => {
    const apart = differenceInterval(alone([0.2, 0.4, 0, 0.6]));
    const together = differenceInterval(inClusters(...[0.2, 0.4, 0, 0.6].map((value) => repeated(50, value))));
    expectInterval(together, [apart.estimate, apart.lower, apart.upper]);
  });
});

describe("the interval of a share", () => {
  test.each([
    [16, 0.23],
    [48, 0.079],
    [164, 0.0255],
  ])("of %d clusters that solved nothing reaches to about %d", (clusters, upper) => {
    const none = shareInterval(alone(repeated(clusters, 0)));
    expect(none).toMatchObject({ estimate: 0, lower: 0 });
    expect(none.upper).toBeCloseTo(upper, 2);
    const all = shareInterval(alone(repeated(clusters, 1)));
    expect(all).toMatchObject({ estimate: 1, upper: 1 });
    expect(all.lower).toBeCloseTo(1 - none.upper, 12);
  });

  test("hardly changes when one program of many passes after all", () => {
    const none = shareInterval(alone(repeated(48, 0)));
    const one = shareInterval(alone([0.2, ...repeated(47, 0)]));
    expect(one.lower).toBeGreaterThan(0);
    expect(one.upper / none.upper).toBeGreaterThan(0.85);
    expect(one.upper / none.upper).toBeLessThan(1.15);
  });

  test("nears that of the t distribution where nothing is at an edge", () => {
    const values = Array.from({ length: 200 }, (_, index) => 0.3 + (index % 5) / 10);
    const [share, difference] = [shareInterval(alone(values)), differenceInterval(alone(values))];
    expect((share.upper - share.lower) / (difference.upper - difference.lower)).toBeCloseTo(1, 1);
  });

  test("of a single cluster says nearly nothing", () => {
    expectInterval(shareInterval(inClusters(repeated(40, 0))), [0, 0, 0.793450686]);
  });
});

describe("any interval", () => {
  const kinds = [
    ["share", shareInterval, 0],
    ["difference", differenceInterval, -1],
  ] as const;
  const valuesFrom = (lowest: number) =>
    fc.array(
      fc.record({
        cluster: fc.constantFrom("a", "b", "c", "d", "e"),
        value: fc.integer({ min: 5 * lowest, max: 5 }).map((fifths) => fifths / 5),
      }),
      { minLength: 1, maxLength: 24 },
    );

  test.each(kinds)("of a %s has a width, holds its estimate and stays where values can be", (_, interval, lowest) => {
    fc.assert(
      fc.property(valuesFrom(lowest), (values) => {
        const { estimate, lower, upper } = interval(values);
        expect(upper - lower).toBeGreaterThan(0.01);
        expect(lower).toBeLessThanOrEqual(estimate);
        expect(upper).toBeGreaterThanOrEqual(estimate);
        expect(lower).toBeGreaterThanOrEqual(lowest);
        expect(upper).toBeLessThanOrEqual(1);
      }),
    );
  });

  test.each(kinds)("of a %s doesn't depend on the order of tasks or the names of clusters", (_, interval, lowest) => {
    fc.assert(
      fc.property(valuesFrom(lowest), fc.integer(), (values, seed) => {
        const renamed = values.map(({ cluster, value }) => ({ cluster: `other ${cluster}`, value }));
        const { estimate, lower, upper } = interval(values);
        expectInterval(interval(shuffled(renamed, seeded(seed, "order"))), [estimate, lower, upper]);
      }),
    );
  });

  test.each(kinds)("of a %s is no narrower when every task is asked twice within its cluster", (_, interval, lowest) => {
    fc.assert(
      fc.property(valuesFrom(lowest), (values) => {
        const { estimate, lower, upper } = interval(values);
        expectInterval(interval([...values, ...values]), [estimate, lower, upper]);
      }),
    );
  });

  test.each(kinds)("of a %s is mirrored when success and failure, or the arms, change places", (_, interval, lowest) => {
    fc.assert(
      fc.property(valuesFrom(lowest), (values) => {
        const turn = (value: number) => 1 + lowest - value;
        const { estimate, lower, upper } = interval(values);
        const mirrored = interval(values.map(({ cluster, value }) => ({ cluster, value: turn(value) })));
        expectInterval(mirrored, [turn(estimate), turn(upper), turn(lower)]);
      }),
    );
  });

  test.each(kinds)("of no %s is an error", (_, interval) => {
    expect(() => interval([])).toThrow(RangeError);
  });
});

test("clusters of unequal size count for fewer", () => {
  expect(effectiveClusters(["a", "b", "c"])).toBe(3);
  expect(effectiveClusters(["a", "a", "b", "b"])).toBe(2);
  expect(effectiveClusters([...repeated(9, "a"), "b", "c", "d"])).toBeCloseTo(144 / 84, 12);
  expect(effectiveClusters([])).toBe(0);
});

describe("in 1,000 experiments whose truth is known", () => {
  const runs = 1000;
  type World = (random: Random) => Value[];

  function coverage(interval: (values: Value[]) => Estimate, world: World, truth: number): { covered: number; above: number } {
    const random = seeded(7, "world");
    const all = Array.from({ length: runs }, () => interval(world(random)));
    const covered = all.filter(({ lower, upper }) => lower <= truth && truth <= upper).length;
    return { covered: covered / runs, above: all.filter(({ lower }) => lower > truth).length / runs };
  }
  const passesOf = (chance: number, random: Random) => Array.from({ length: 5 }, random).filter((draw) => draw < chance).length / 5;
  /** Tasks of a cluster share its difficulty; cluster g holds `sizes[g]` of them. */
  const clustered =
    (sizes: readonly number[], chance: (random: Random) => number, value: (chance: number, random: Random) => number): World =>
    (random) =>
      inClusters(
        ...sizes.map((size) => {
          const own = chance(random);
          return Array.from({ length: size }, () => value(own, random));
        }),
      );
  const equal = (clusters: number) => repeated(clusters, 3);
  const unequal = (clusters: number) => Array.from({ length: clusters }, (_, index) => 1 + (index % 4) * 2);
  const cubed = (random: Random) => random() ** 3;
  const allOrNothing = (share: number) => (random: Random) => (random() < share ? 1 : 0);

  test.each<[string, readonly number[], (random: Random) => number, number]>([
    ["10 clusters, often near 0", equal(10), cubed, 0.25],
    ["16 unequal clusters, often near 0", unequal(16), cubed, 0.25],
    ["50 clusters, often near 0", equal(50), cubed, 0.25],
    ["10 clusters of which one in 20 is solved", equal(10), allOrNothing(0.05), 0.05],
    ["16 clusters of which half are solved", equal(16), allOrNothing(0.5), 0.5],
    ["50 unequal clusters of which one in 20 is solved", unequal(50), allOrNothing(0.05), 0.05],
  ])("a share's interval covers it in 95 of 100: %s", (_, sizes, chance, truth) => {
    expect(coverage(shareInterval, clustered(sizes, chance, passesOf), truth).covered).toBeGreaterThanOrEqual(0.93);
  });

  const gainOf = (gain: number) => (chance: number, random: Random) => passesOf(chance + gain, random) - passesOf(chance, random);
  const upTo80 = (random: Random) => 0.8 * random();
  /** Some clusters gain it all, the others nothing. */
  const someGain = (chance: number, random: Random) => passesOf(chance < 0.4 ? 0.9 : 0.1, random) - passesOf(0.1, random);

  test.each<[string, readonly number[], (chance: number, random: Random) => number, number]>([
    ["nothing, 10 clusters", equal(10), gainOf(0), 0],
    ["nothing, 16 unequal clusters", unequal(16), gainOf(0), 0],
    ["20 points, 10 clusters", equal(10), gainOf(0.2), 0.2],
    ["20 points, 100 tasks alone", repeated(100, 1), gainOf(0.2), 0.2],
    ["80 points in half of 10 clusters", equal(10), someGain, 0.4],
    ["80 points in half of 16 unequal clusters", unequal(16), someGain, 0.4],
  ])("a gain's interval covers it in 95 of 100, and 2 or 3 lie above it: %s", (_, sizes, value, truth) => {
    const { covered, above } = coverage(differenceInterval, clustered(sizes, upTo80, value), truth);
    expect(covered).toBeGreaterThanOrEqual(0.925);
    expect(covered).toBeLessThanOrEqual(0.98);
    expect(above).toBeLessThanOrEqual(0.04);
  });
});
