import { alphaOfLook } from "@rune/clients/statistics/looks";
import { type Random, seeded } from "@rune/clients/statistics/random";
import { evaluation, type Gate } from "@rune/crds/kinds/evaluation";
import { describe, expect, test } from "vitest";
import { alphaOf, type Evidence, endsWith, judge } from "./gate.ts";
import { effectiveClusters } from "./intervals.ts";
import { type PairedScore, pairedGain, passAt1 } from "./statistics.ts";

const runs = 1000;
const samples = evaluation.spec.shape.samples.parse(undefined);
const gate: Gate = {
  ...evaluation.spec.shape.gate.unwrap().parse({ candidate: "memory", baseline: "base" }),
  minimumTasks: 20,
};

/** 100 clusters of one, two and four tasks in turn. */
const sizes = Array.from({ length: 100 }, (_, index) => 2 ** (index % 3));
/** Beta(0.7 mean, 0.7 (1 - mean)), by Jöhnk 1964: most tasks are solved nearly always or nearly never. */
const difficulty = (mean: number) => (random: Random) => {
  for (;;) {
    const [a, b] = [random() ** (1 / (0.7 * mean)), random() ** (1 / (0.7 * (1 - mean)))];
    if (a + b > 0 && a + b <= 1) return a / (a + b);
  }
};
const rates: [string, number][] = [
  ["near 0", 0.05],
  ["in the middle", 0.5],
  ["near 1", 0.95],
];
const passes = (chance: number, random: Random) => Array.from({ length: samples }, random).filter((draw) => draw < chance).length / samples;

/** An A/A experiment: both arms solve a task with the same probability, shared within a cluster. */
function clustersOf(mean: number, random: Random): PairedScore[][] {
  const chanceOf = difficulty(mean);
  return sizes.map((size, index) => {
    const chance = chanceOf(random);
    return Array.from({ length: size }, () => ({
      cluster: `${index}`,
      candidate: passes(chance, random),
      baseline: passes(chance, random),
    }));
  });
}

function evidenceOf(pairs: readonly PairedScore[], alpha: number): Evidence {
  const tested = pairedGain(pairs, { alpha });
  const clusters = pairs.map(({ cluster }) => cluster);
  return {
    tested,
    gain: tested.estimate,
    clusters: new Set(clusters).size,
    effectiveClusters: effectiveClusters(clusters),
    passed: pairs.filter(({ candidate, baseline }) => candidate + baseline > 0).length,
    differing: pairs.filter(({ candidate, baseline }) => candidate !== baseline).length,
    same: false,
    controlsMissing: null,
  };
}

describe.each(rates)("of 1,000 experiments without a difference, with rates %s", (_, mean) => {
  const random = seeded(12, `rates around ${mean}`);
  const experiments = Array.from({ length: runs }, () => clustersOf(mean, random));

  test.each([1, 3, 5])("with %d looks at most 5 in 100 pass a gain above nothing, and none the gate of 5 points", (of) => {
    const alphas = Array.from({ length: of }, (_, index) => alphaOf(gate, { number: index + 1, of }));
    /** Whether one gate passes at whichever look ends the evaluation, and whether some look's interval missed the truth. */
    const outcomes = experiments.map((clusters) => {
      const evidence = alphas.map((alpha, look) =>
        evidenceOf(clusters.slice(0, Math.ceil((clusters.length * (look + 1)) / of)).flat(), alpha),
      );
      const passesAt = (thresholdPoints: number) => {
        const verdicts = evidence.map((each) => judge({ ...gate, thresholdPoints }, each));
        return verdicts.find((verdict, look) => endsWith(gate.rule, verdict, { number: look + 1, of }))?.verdict === "Passed";
      };
      return {
        atNothing: passesAt(0),
        atFive: passesAt(5),
        missed: evidence.some(({ tested: { lower, upper } }) => lower > 0 || upper < 0),
      };
    });
    const share = (of: (outcome: (typeof outcomes)[number]) => boolean) => outcomes.filter(of).length / runs;
    expect(share(({ atNothing }) => atNothing)).toBeLessThanOrEqual(0.05);
    expect(share(({ atFive }) => atFive)).toBe(0);
    expect(share(({ missed }) => missed)).toBeLessThanOrEqual(0.07);
  });

  test("Pass@1's interval covers it as often as it says", () => {
    const covered = experiments.filter((clusters) => {
      const { lower, upper } = passAt1(
        clusters.flat().map(({ cluster, baseline }) => ({ cluster, samples, passed: Math.round(samples * baseline) })),
      );
      return lower <= mean && mean <= upper;
    });
    expect(covered.length / runs).toBeGreaterThanOrEqual(0.93);
  });
});

describe("of 1,000 experiments with a gain", () => {
  /** A third of the clusters gain 30 points, the others nothing: 10 points. */
  const experiments = (() => {
    const random = seeded(12, "gains");
    return Array.from({ length: runs }, () =>
      sizes.map((size, index) => {
        const chance = 0.6 * random();
        const gain = random() < 1 / 3 ? 0.3 : 0;
        return Array.from({ length: size }, () => ({
          cluster: `${index}`,
          candidate: passes(chance + gain, random),
          baseline: passes(chance, random),
        }));
      }),
    );
  })();

  test.each([0.8, 0.95, 0.99])("an interval of confidence %d covers it about as often", (confidence) => {
    const covered = experiments.filter((clusters) => {
      const { lower, upper } = pairedGain(clusters.flat(), { alpha: alphaOfLook(1 - confidence, { number: 1, of: 1 }) });
      return lower <= 10 && 10 <= upper;
    });
    const chance = 3 * Math.sqrt((confidence * (1 - confidence)) / runs);
    expect(Math.abs(covered.length / runs - confidence)).toBeLessThanOrEqual(chance);
  });

  test("a relative drop's interval covers what a tenth less than the baseline leaves", () => {
    // Candidate .4, baseline .3: .4 - .9 × .3 is 13 points.
    const covered = experiments.filter((clusters) => {
      const { lower, upper } = pairedGain(clusters.flat(), { baselineShare: 0.9 });
      return lower <= 13 && 13 <= upper;
    });
    expect(covered.length / runs).toBeGreaterThanOrEqual(0.93);
  });
});
