import { describe, expect, test } from "vitest";
import { smallestGain, varianceSeen } from "./power.ts";

describe("the smallest gain that can be shown", () => {
  /** Simulated: paired arms, rates spread as Beta(0.35, 0.35), lower end of a one-sided 95 % interval above 0 in 80 of 100 runs. */
  test.each([
    [25, 5, 12],
    [100, 10, 5],
    [164, 5, 5],
    [164, 20, 3.4],
    [500, 5, 2.7],
  ])("with %d tasks and %d samples is about %d points at one-sided 95 %%", (clusters, samples, points) => {
    const gain = smallestGain({ clusters, samples, confidence: 0.9 });
    expect(gain / points).toBeGreaterThan(0.93);
    expect(gain / points).toBeLessThan(1.1);
  });

  const plain = { clusters: 40, samples: 5, confidence: 0.95 };
  test.each<[string, Parameters<typeof smallestGain>[0], "larger" | "smaller"]>([
    ["at a higher confidence", { ...plain, confidence: 0.99 }, "larger"],
    ["with several looks", { ...plain, looks: 5 }, "larger"],
    ["with more clusters", { ...plain, clusters: 80 }, "smaller"],
    ["with more tasks in the same clusters", { ...plain, tasks: 120 }, "smaller"],
    ["with more samples", { ...plain, samples: 20 }, "smaller"],
    ["where an earlier run's gains differed little", { ...plain, variance: 100 }, "smaller"],
    ["where equal arms differed little", { ...plain, chance: 100 }, "smaller"],
    ["where equal arms differed much", { ...plain, chance: 900 }, "larger"],
  ])("is %s %s", (_, design, how) => {
    const [gain, reference] = [smallestGain(design), smallestGain(plain)];
    expect(how === "larger" ? gain > reference : gain < reference).toBe(true);
  });

  test("follows from what an earlier evaluation saw: its interval tells the variance", () => {
    // 16 clusters whose gains spread by 20 points: t(15) = 2.131449545559, so the interval is ± 10.657.
    const half = (2.131449545559 * 20) / Math.sqrt(16);
    const variance = varianceSeen({ lower: -half, upper: half }, 16);
    expect(variance).toBeCloseTo(400, 6);
    // (t(.975; 15) + t(.8; 15)) × 5
    expect(smallestGain({ clusters: 16, samples: 5, confidence: 0.95, variance })).toBeCloseTo((2.131449545559 + 0.866244973195) * 5, 5);
  });

  test("allows for tasks that gain unequally, which equal arms don't show", () => {
    expect(smallestGain({ ...plain, chance: 0 })).toBeCloseTo(smallestGain({ ...plain, variance: 220 }), 9);
  });

  test("of a single cluster is an error", () => {
    expect(() => smallestGain({ ...plain, clusters: 1 })).toThrow(RangeError);
  });
});
