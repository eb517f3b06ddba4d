/** Statistics of the repetitions of one measurement. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly samples: readonly number[];
}

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}

/** Linear between the closest ranks; NaN of nothing. */
export function percentile(values: readonly number[], percent: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = Float64Array.from(values).sort();
  const place = ((sorted.length - 1) * percent) / 100;
  const below = Math.floor(place);
  const low = sorted[below] as number;
  const high = sorted[Math.ceil(place)] as number;
  return low + (high - low) * (place - below);
}

/** Of the measured values; undefined if there are none. */
export function spreadOf(values: readonly (number | undefined)[]): Spread | undefined {
  const samples = values.filter((value): value is number => value !== undefined && Number.isFinite(value));
  if (samples.length === 0) return undefined;
  return { median: median(samples), min: Math.min(...samples), max: Math.max(...samples), samples };
}

/** The slope of the least-squares line through (x, y); NaN for fewer than two different x. */
export function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const meanX = points.reduce((sum, [x]) => sum + x, 0) / points.length;
  const meanY = points.reduce((sum, [, y]) => sum + y, 0) / points.length;
  let above = 0;
  let below = 0;
  for (const [x, y] of points) {
    above += (x - meanX) * (y - meanY);
    below += (x - meanX) ** 2;
  }
  return below === 0 ? Number.NaN : above / below;
}

/** The ratio of a median to the other's; undefined where either was not measured. */
export function ratio(own: Spread | undefined, other: Spread | undefined): number | undefined {
  return own && other && other.median !== 0 ? own.median / other.median : undefined;
}
