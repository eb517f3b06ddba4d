import { differenceInterval, type Estimate, shareInterval, shownAlpha } from "./intervals.ts";

/** One task's outcome: `passed` of `samples` > 0 programs. */
export type TaskScore = { cluster: string; samples: number; passed: number };
/** One task's rates in two arms. */
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

/** Mean of pass@k over tasks. Throws RangeError for no tasks, and where a task has fewer than k samples. */
export function meanPassAtK(scores: readonly TaskScore[], k: number): number {
  if (scores.length === 0) throw new RangeError(`pass@${k} of no tasks is not defined`);
  return scores.reduce((sum, { samples, passed }) => sum + passAtK(samples, passed, k), 0) / scores.length;
}

/**
 * Pass@1 of an arm with its interval over tasks: what to expect on other tasks of this kind. Every task has the same
 * weight.
 */
export function passAt1(scores: readonly TaskScore[]): Estimate {
  return shareInterval(scores.map(({ cluster, samples, passed }) => ({ cluster, value: passAtK(samples, passed, 1) })));
}

/**
 * Candidate less baseline in percentage points, paired by task, so that the tasks' own difficulty cancels out, with the
 * interval that misses it with chance `alpha`. With a `baselineShare` of 1 - p it is candidate - (1 - p) baseline: not
 * below 0 where no more than p was lost.
 */
export function pairedGain(scores: readonly PairedScore[], { alpha = shownAlpha, baselineShare = 1 } = {}): Estimate {
  const values = scores.map(({ cluster, candidate, baseline }) => ({ cluster, value: candidate - baselineShare * baseline }));
  const gain = differenceInterval(values, { alpha, lowest: -baselineShare });
  return { estimate: 100 * gain.estimate, lower: 100 * gain.lower, upper: 100 * gain.upper };
}
