import { criticalZ } from "@rune/clients/statistics/normal";
import { criticalT } from "@rune/clients/statistics/student";

/** Chance that a displayed interval misses the truth, whatever the gate's confidence. */
export const shownAlpha = 0.05;

/** A number and its interval, of 95 % unless stated otherwise. */
export type Estimate = { estimate: number; lower: number; upper: number };
/** A task's value. Tasks of one cluster count together as one piece of evidence. */
export type Value = { cluster: string; value: number };

/**
 * The number of clusters of equal size with the same information: (Σ n)² / Σ n², for clusters of n tasks. 1 where one
 * cluster holds nearly all, and the number of clusters where all are equally large. (Kish 1965, "Survey Sampling",
 * section 11.7.) 0 for no tasks.
 */
export function effectiveClusters(clusters: readonly string[]): number {
  const sizes = [...Map.groupBy(clusters, (name) => name).values()].map(({ length }) => length);
  return sizes.length === 0 ? 0 : sum(sizes) ** 2 / sum(sizes.map((size) => size ** 2));
}

/**
 * A share between 0 and 1 (values are shares too) with its interval: Wilson's, with an effective number of trials, and
 * Student's t for the normal's quantile because that number is estimated. (Wilson 1927; for clusters: Korn and Graubard
 * 1998; recommended by Franco, Little, Louis and Slud 2019, "Comparative study of confidence intervals for proportions
 * in complex sample surveys".)
 * The variance is first mixed with that of one additional cluster, half of it 0 and half of it 1 (as in Jeffreys'
 * prior), so that it is never zero: an arm that solved nothing, or everything, or all tasks equally often, gets an
 * interval of some width, and so does one close to these.
 * Throws RangeError for no values.
 */
export function shareInterval(values: readonly Value[]): Estimate {
  const { mean: share, effective, spread } = clusterMean(values);
  if (!spread) return { estimate: share, ...wilson(share, 1, criticalZ(shownAlpha)) };
  const mixed = (share * effective + 0.5) / (effective + 1);
  const squares = (effective - 1) * spread.variance * effective + effective * (share - mixed) ** 2 + (mixed ** 2 + (1 - mixed) ** 2) / 2;
  const trials = (mixed * (1 - mixed) * effective ** 2) / squares;
  return { estimate: share, ...wilson(share, trials, criticalT(spread.df, shownAlpha)) };
}

/**
 * The mean of differences between `lowest` and `highest` with the interval that misses it with chance `alpha`: t with a
 * cluster-robust variance (see `clusterMean`), which for clusters of equal size is the textbook's paired t interval of
 * the clusters' means.
 * Where all clusters agree, or there is only one, that interval has no width, as if all clusters that weren't drawn
 * were known. Then it allows for those: Wilson's upper bound of a share that was never seen, z² / (n + z²) of n
 * effective clusters, may differ by as much as is possible, either way. At 16 clusters that is 19 points, at 164 it is
 * 2.
 * Throws RangeError for no values.
 */
export function differenceInterval(values: readonly Value[], { alpha = shownAlpha, lowest = -1, highest = 1 } = {}): Estimate {
  const { mean: estimate, effective, spread } = clusterMean(values);
  if (spread && spread.variance > noVariance) {
    const half = criticalT(spread.df, alpha) * Math.sqrt(spread.variance);
    return { estimate, lower: Math.max(lowest, estimate - half), upper: Math.min(highest, estimate + half) };
  }
  const { upper: unseen } = wilson(0, effective, criticalZ(alpha));
  return { estimate, lower: estimate - unseen * (estimate - lowest), upper: estimate + unseen * (highest - estimate) };
}

/** Far below the variance of a single differing program among any number of tasks, and far above rounding errors. */
const noVariance = 1e-20;

/** Wilson's score interval of a share of `trials` > 0 independent trials. (Wilson 1927; Brown, Cai and DasGupta 2001.) */
export function wilson(share: number, trials: number, critical: number): { lower: number; upper: number } {
  const square = critical ** 2 / trials;
  const middle = (share + square / 2) / (1 + square);
  const half = Math.sqrt(share * (1 - share) * square + square ** 2 / 4) / (1 + square);
  return { lower: Math.min(share, Math.max(0, middle - half)), upper: Math.max(share, Math.min(1, middle + half)) };
}

/** `spread`: variance of the mean and its degrees of freedom; undefined for a single cluster, which has none. */
type ClusterMean = { mean: number; effective: number; spread: { variance: number; df: number } | undefined };

/**
 * The mean over tasks, with a cluster-robust variance and Satterthwaite's degrees of freedom (CR2: Bell and McCaffrey 2002, "Bias reduction
 * in standard errors for linear regression with multi-stage samples"; Pustejovsky and Tipton 2018; few clusters: Cameron and Miller 2015,
 * section VI). The working model assumes full correlation: what is true of one of a cluster's tasks is true of all.
 * With w the share of tasks in a cluster, e its mean less the mean of all, and S = Σ w²:
 * variance = Σ w² e² / c, c = 1 - 2w + S; df = S² / Σ P², P[g,h] = w[g] w[h] (δ - w[g] - w[h] + S) / √(c[g] c[h]).
 * Equal clusters give the variance of their means over their number, and one degree less than their number.
 */
function clusterMean(values: readonly Value[]): ClusterMean {
  if (values.length === 0) throw new RangeError("there is nothing to take a mean of");
  const clusters = [...Map.groupBy(values, ({ cluster }) => cluster).values()].map((members) => ({
    weight: members.length / values.length,
    mean: sum(members.map(({ value }) => value)) / members.length,
  }));
  const mean = sum(values.map(({ value }) => value)) / values.length;
  const weights = clusters.map(({ weight }) => weight);
  const squares = sum(weights.map((weight) => weight ** 2));
  if (clusters.length < 2) return { mean, effective: 1, spread: undefined };
  const variance = sum(clusters.map((cluster) => (cluster.weight * (cluster.mean - mean)) ** 2 / (1 - 2 * cluster.weight + squares)));
  return { mean, effective: 1 / squares, spread: { variance, df: degreesOfFreedom(weights, squares) } };
}

/** In linear time: the double sum of P² is split into sums of powers of w. */
function degreesOfFreedom(weights: readonly number[], squares: number): number {
  const scaled = weights.map((weight) => ({ weight, scale: weight ** 2 / (1 - 2 * weight + squares) }));
  const power = (exponent: number) => sum(scaled.map(({ weight, scale }) => scale * weight ** exponent));
  const [zeroth, first, second] = [power(0), power(1), power(2)];
  // Off the diagonal P² is scale[g] scale[h] (S - w[g] - w[h])²; on the diagonal the square of (1 - 2w + S) replaces
  // it.
  const everywhere = squares ** 2 * zeroth ** 2 - 4 * squares * zeroth * first + 2 * zeroth * second + 2 * first ** 2;
  const diagonal = sum(scaled.map(({ weight, scale }) => scale ** 2 * ((1 - 2 * weight + squares) ** 2 - (squares - 2 * weight) ** 2)));
  return squares ** 2 / (everywhere + diagonal);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}
