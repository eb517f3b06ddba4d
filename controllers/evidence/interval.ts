import type { Interval } from "@rune/crds/fields/measured";

/** A rate or a difference with its interval, as evidence and reports hold it. */
export interface Rate {
  readonly estimate: number;
  readonly lower: number;
  readonly upper: number;
}

/** As it stands in status: the API has no floats. */
export function intervalOf({ estimate, lower, upper }: Rate, digits = 3): Interval {
  return { estimate: estimate.toFixed(digits), lower: lower.toFixed(digits), upper: upper.toFixed(digits) };
}

/** What an interval in status says. */
export function rateOf({ estimate, lower, upper }: Interval): Rate {
  return { estimate: Number(estimate), lower: Number(lower), upper: Number(upper) };
}
