import { criticalZ, normalDensity, normalTail } from "./normal.ts";

/** Number of a look and the total, at equal shares of the evidence. */
export type Look = { number: number; of: number };

/**
 * The error probability of one look's interval, such that the intervals of all looks together miss the truth with
 * probability `alpha`: O'Brien and Fleming's boundaries c √(of / number), strict at first and nearly nominal at the
 * end. (O'Brien and Fleming 1979, "A multiple testing procedure for clinical trials"; as repeated confidence intervals:
 * Jennison and Turnbull 2000, "Group Sequential Methods", chapter 9.) Throws RangeError unless
 * 1 <= number <= of and 0 < alpha < 1.
 */
export function alphaOfLook(alpha: number, { number, of }: Look): number {
  if (!(number >= 1 && number <= of)) throw new RangeError(`look ${number} of ${of} is not defined`);
  return of === 1 ? alpha : 2 * normalTail(boundaryConstant(alpha, of) * Math.sqrt(of / number));
}

/**
 * O'Brien and Fleming's c: a walk of `looks` standard normal steps leaves ± c √looks with probability `alpha`. Jennison
 * and Turnbull's table 2.3 lists it for 0.1, 0.05 and 0.01.
 */
export function boundaryConstant(alpha: number, looks: number): number {
  let [low, high] = [criticalZ(alpha), criticalZ(alpha / looks)];
  while (high - low > 1e-7) {
    const middle = (low + high) / 2;
    if (1 - stays(middle * Math.sqrt(looks), looks) > alpha) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

const intervals = 200;

/** P(|S₁| < bound, …, |Sₙ| < bound) of a walk of standard normal steps, by Simpson's rule. (Armitage, McPherson and Rowe 1969.) */
function stays(bound: number, steps: number): number {
  const width = (2 * bound) / intervals;
  const weights = Array.from({ length: intervals + 1 }, (_, i) => ((i === 0 || i === intervals ? 1 : i % 2 ? 4 : 2) * width) / 3);
  const step = Array.from({ length: intervals + 1 }, (_, i) => normalDensity(i * width));
  let density = weights.map((_, i) => normalDensity(i * width - bound));
  const weighted = () => density.map((value, i) => value * (weights[i] as number));
  for (let taken = 1; taken < steps; taken++) {
    const before = weighted();
    density = density.map((_, i) => before.reduce((sum, value, j) => sum + value * (step[Math.abs(i - j)] as number), 0));
  }
  return weighted().reduce((sum, value) => sum + value, 0);
}
