/** P(Z > z) of the standard normal distribution, to about 13 digits. (Abramowitz and Stegun 26.2.11 near the middle, 26.2.14 in the tail.) */
export function normalTail(z: number): number {
  if (z < 0) return 1 - normalTail(-z);
  if (z < 3) return 0.5 - normalDensity(z) * oddSeries(z);
  let fraction = z;
  for (let term = 120; term >= 1; term--) fraction = z + term / fraction;
  return normalDensity(z) / fraction;
}

export function normalDensity(z: number): number {
  return Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI);
}

/**
 * The z with P(|Z| > z) = `alpha`. Newton's method from 0: the tail is convex, so it never overshoots.
 * Throws RangeError unless 0 < alpha < 1.
 */
export function criticalZ(alpha: number): number {
  if (!(alpha > 0 && alpha < 1)) throw new RangeError(`a chance of ${alpha} to lie outside is not between 0 and 1`);
  const tail = alpha / 2;
  let z = 0;
  for (let step = 0; step < 200; step++) {
    const distance = (normalTail(z) - tail) / normalDensity(z);
    z += distance;
    if (Math.abs(distance) < 1e-13 * (1 + z)) break;
  }
  return z;
}

/** z + z³/3 + z⁵/(3·5) + … */
function oddSeries(z: number): number {
  let term = z;
  let total = z;
  for (let odd = 3; term > total * 1e-17; odd += 2) {
    term *= (z * z) / odd;
    total += term;
  }
  return total;
}
