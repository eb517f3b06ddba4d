import type { Interval } from "@rune/crds/fields/measurement";

/** A rate or a difference with its interval, as in evidence and reports. */
export interface Rate {
  readonly estimate: number;
  readonly lower: number;
  readonly upper: number;
}

/** Converts to strings for status, because the API has no floats. */
export function intervalOf({ estimate, lower, upper }: Rate, digits = 3): Interval {
  return { estimate: estimate.toFixed(digits), lower: lower.toFixed(digits), upper: upper.toFixed(digits) };
}

/** Parses an interval of a status. */
export function rateOf({ estimate, lower, upper }: Interval): Rate {
  return { estimate: Number(estimate), lower: Number(lower), upper: Number(upper) };
}
