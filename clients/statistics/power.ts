import { alphaOfLook } from "./looks.ts";
import { criticalT } from "./student.ts";

/** Probability of showing a gain of the reported size. */
export const power = 0.8;

/**
 * Prior variances of the difference between candidate and baseline, as shares: `ofGain` is the variance of the gain
 * between clusters, a spread of 15 points; `ofChance` is p (1 - p) of one program in both arms together, 2 × 0.7 / 1.7
 * × 1/4 for difficulties spread as Beta(0.35, 0.35): half of the tasks solved, most of them nearly always or nearly
 * never. Rates elsewhere vary less.
 */
const prior = { ofGain: 0.022, ofChance: 0.206 };

export type Design = {
  /** independent tasks */
  clusters: number;
  /** number of tasks, at least one per cluster; as many as clusters if unset */
  tasks?: number;
  /** programs per arm and task */
  samples: number;
  /** of the gate's two-sided interval, over all looks */
  confidence: number;
  looks?: number;
  /** variance of one cluster's gain in squared points, from an earlier evaluation of these arms (`varianceSeen`) */
  variance?: number | undefined;
  /** the same from equal arms (A/A): the effect of chance alone; the prior variance of the gain is added to it */
  chance?: number | undefined;
};

/**
 * The smallest true gain, in percentage points beyond the gate's threshold, that the interval's lower end reaches with
 * a probability of 80 %: at the last look, (t of the confidence + t of 80 %) standard errors. Throws RangeError for
 * fewer than two clusters, which show nothing.
 */
export function smallestGain({ clusters, tasks = clusters, samples, confidence, looks = 1, variance, chance }: Design): number {
  if (!(clusters >= 2)) throw new RangeError(`${clusters} clusters can't show a gain; it takes at least two`);
  const ofChance = chance ?? (1e4 * prior.ofChance) / (samples * Math.max(1, tasks / clusters));
  const ofCluster = variance ?? 1e4 * prior.ofGain + ofChance;
  const df = clusters - 1;
  const critical = criticalT(df, alphaOfLook(1 - confidence, { number: looks, of: looks }));
  return (critical + criticalT(df, 2 * (1 - power))) * Math.sqrt(ofCluster / clusters);
}

/** Variance of one cluster's gain in squared points, from a gain's 95 % interval over this number of clusters. */
export function varianceSeen({ lower, upper }: { lower: number; upper: number }, clusters: number): number {
  return clusters * ((upper - lower) / 2 / criticalT(clusters - 1, 0.05)) ** 2;
}
