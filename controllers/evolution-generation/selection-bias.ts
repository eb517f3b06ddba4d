import { criticalZ } from "@rune/clients/statistics/normal";
import type { Interval } from "@rune/crds/fields/measurement";
import { rateOf } from "../evidence/interval.ts";

/** Half the width of a 95 % interval, in standard errors. */
const halfWidth = criticalZ(0.05);

/**
 * Points by which the best of these measurements is expected to exceed its true value, if all were equally good: the
 * mean standard error times the expected largest of k standard normal numbers (Blom 1958, "Statistical Estimates and
 * Transformed Beta-Variables": Φ⁻¹((k − 0.375) / (k + 0.25)), within 0.03 for any k). This is why the best on the
 * selecting tasks must also win on others.
 */
export function inflationPoints(measured: readonly Interval[]): number {
  const count = measured.length;
  if (count < 2) return 0;
  const errors = measured.map(rateOf).map(({ lower, upper }) => (upper - lower) / (2 * halfWidth));
  const mean = errors.reduce((sum, each) => sum + each, 0) / count;
  return 100 * mean * criticalZ(2 * (1 - (count - 0.375) / (count + 0.25)));
}
