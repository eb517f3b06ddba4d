import { criticalZ } from "./normal.ts";

/**
 * The t with P(|T| > t) = `alpha` of Student's distribution with `df` > 0 degrees of freedom, which need not be
 * integer. Newton's method from the normal distribution's value: that is too small, and the tail is convex, so it never
 * overshoots. Throws RangeError unless df > 0 and 0 < alpha < 1.
 */
export function criticalT(df: number, alpha: number): number {
  if (!(df > 0)) throw new RangeError(`Student's t with ${df} degrees of freedom is not defined`);
  const scale = (2 * Math.exp(logGamma((df + 1) / 2) - logGamma(df / 2))) / Math.sqrt(df * Math.PI);
  let t = criticalZ(alpha);
  for (let step = 0; step < 500; step++) {
    const slope = scale * Math.exp((-(df + 1) / 2) * Math.log1p((t * t) / df));
    const distance = (outside(t, df) - alpha) / slope;
    t += distance;
    if (Math.abs(distance) < 1e-11 * t) break;
  }
  return t;
}

/** P(|T| > t) = I(df / (df + t²); df / 2, 1 / 2). (Abramowitz and Stegun 26.7.1.) */
function outside(t: number, df: number): number {
  return incompleteBeta(df / (df + t * t), df / 2, 0.5);
}

/** The regularized incomplete beta function by its continued fraction. (Abramowitz and Stegun 26.5.8; evaluated after Lentz 1976.) */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)) / a;
  let c = 1;
  let d = 1 / (1 - ((a + b) * x) / (a + 1));
  let fraction = d;
  for (let m = 1; m <= 300; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / (1 + even * d);
    c = 1 + even / c;
    fraction *= c * d;
    d = 1 / (1 + odd * d);
    c = 1 + odd / c;
    fraction *= c * d;
    if (Math.abs(c * d - 1) < 1e-14) break;
  }
  return front * fraction;
}

/** Stirling's series, after stepping up to where it is accurate to 14 digits. (Abramowitz and Stegun 6.1.41.) */
function logGamma(x: number): number {
  if (x < 12) return logGamma(x + 1) - Math.log(x);
  const series = 1 / (12 * x) - 1 / (360 * x ** 3) + 1 / (1260 * x ** 5) - 1 / (1680 * x ** 7);
  return (x - 0.5) * Math.log(x) - x + Math.log(2 * Math.PI) / 2 + series;
}
