import { below, type Random } from "./random.ts";

/** A number and its 95 % interval. */
export type Estimate = { estimate: number; lower: number; upper: number };
/** One task's outcome: `passed` of `samples` programs. Tasks of one cluster stand or fall together and are resampled together. */
export type TaskScore = { cluster: string; samples: number; passed: number };
/** One task's outcomes in two arms. */
export type PairedScore = { cluster: string; candidate: number; baseline: number };

/**
 * Unbiased estimate of the chance that at least one of k samples passes, from c passes among n samples: 1 - C(n-c, k) / C(n, k).
 * The plain 1 - (1 - c/n)^k is biased low. (Chen et al. 2021, "Evaluating Large Language Models Trained on Code", section 2.1.)
 * Throws RangeError unless 0 <= c <= n and 1 <= k <= n.
 */
export function passAtK(n: number, c: number, k: number): number {
  if (!(c >= 0 && c <= n && k >= 1 && k <= n)) throw new RangeError(`pass@${k} of ${c} passes among ${n} samples is not defined`);
  if (n - c < k) return 1;
  let allFail = 1;
  for (let i = n - c + 1; i <= n; i++) allFail *= 1 - k / i;
  return 1 - allFail;
}

/** Mean of pass@k over tasks. */
export function meanPassAtK(scores: readonly TaskScore[], k: number): number {
  return mean(scores.map(({ samples, passed }) => passAtK(samples, passed, k)));
}

/** Pass@1 of an arm with its interval over tasks: how it would come out on other tasks of this kind. */
export function passAt1(scores: readonly TaskScore[], random: Random): Estimate {
  return clusterBootstrap(
    scores.map(({ cluster, samples, passed }) => ({ cluster, value: passed / samples })),
    random,
  );
}

/**
 * Gain of candidate over baseline in percentage points, paired by task: each resample draws tasks (whole clusters), not arms, so that the
 * tasks' own difficulty cancels out.
 */
export function pairedDelta(scores: readonly PairedScore[], random: Random): Estimate {
  return clusterBootstrap(
    scores.map(({ cluster, candidate, baseline }) => ({ cluster, value: 100 * (candidate - baseline) })),
    random,
  );
}

/**
 * Mean of values with the percentile interval of a cluster bootstrap: 10,000 times as many clusters as there are, drawn with replacement.
 * (Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13; clusters: Cameron, Gelbach and Miller 2008.)
 * The interval always contains the estimate. Throws RangeError for no values.
 */
export function clusterBootstrap(values: readonly { cluster: string; value: number }[], random: Random, resamples = 10_000): Estimate {
  if (values.length === 0) throw new RangeError("there is nothing to resample");
  const clusters = [...Map.groupBy(values, ({ cluster }) => cluster).values()].map((members) => ({
    sum: members.reduce((sum, { value }) => sum + value, 0),
    size: members.length,
  }));
  const estimate = mean(values.map(({ value }) => value));
  const means = Float64Array.from({ length: resamples }, () => resampledMean(clusters, random)).sort();
  const lower = means[Math.floor(0.025 * resamples)] ?? estimate;
  const upper = means[Math.ceil(0.975 * resamples) - 1] ?? estimate;
  return { estimate, lower: Math.min(lower, estimate), upper: Math.max(upper, estimate) };
}

export type Rule = "LowerBound" | "PointEstimate";
export type Verdict = "Passed" | "Failed" | "Inconclusive";
export type Judgement = { verdict: Verdict; why: string };
export type Evidence = {
  delta: Estimate;
  tasks: number;
  /** programs that passed, in both arms together */
  passed: number;
};
export type Gate = { rule: Rule; thresholdPoints: number; minimumTasks: number };

/**
 * What the evidence says of a gain of at least `thresholdPoints`.
 * LowerBound: Passed when the whole interval is at or above the threshold, Failed when all of it is below, else Inconclusive.
 * PointEstimate: Passed or Failed by the estimate alone; at 25 tasks it passes one adapter in ten that gains nothing.
 * Both are Inconclusive with too few tasks, and neither passes where no program of either arm passed.
 */
export function judge(gate: Gate, { delta, tasks, passed }: Evidence): Judgement {
  const threshold = gate.thresholdPoints;
  if (tasks < gate.minimumTasks)
    return { verdict: "Inconclusive", why: `${tasks} tasks are fewer than the ${gate.minimumTasks} that the gate asks for` };
  if (passed === 0 && threshold <= 0)
    return { verdict: "Inconclusive", why: "no program of either arm passed, so the tasks can't tell them apart" };
  if (gate.rule === "PointEstimate")
    return delta.estimate >= threshold
      ? { verdict: "Passed", why: `the estimate reaches ${threshold} points` }
      : { verdict: "Failed", why: `the estimate stays below ${threshold} points` };
  if (delta.lower >= threshold) return { verdict: "Passed", why: `the whole interval is at ${threshold} points or above` };
  if (delta.upper < threshold) return { verdict: "Failed", why: `the whole interval is below ${threshold} points` };
  return { verdict: "Inconclusive", why: `the interval reaches from below ${threshold} points to above; more tasks would narrow it` };
}

/** A gain beyond this many points is more often a leak than a success: control arms should say which. */
export const suspiciousPoints = 15;

function resampledMean(clusters: readonly { sum: number; size: number }[], random: Random): number {
  let sum = 0;
  let size = 0;
  for (let drawn = 0; drawn < clusters.length; drawn++) {
    const cluster = clusters[below(clusters.length, random)];
    sum += cluster?.sum ?? 0;
    size += cluster?.size ?? 0;
  }
  return sum / size;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
