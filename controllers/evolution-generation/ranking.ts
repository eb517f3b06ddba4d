import type { Interval } from "@rune/crds/fields/measurement";
import { rateOf } from "../evidence/interval.ts";

/** Such as `0.51 (0.44 to 0.58)`. */
export const intervalText = ({ estimate, lower, upper }: Interval) => `${estimate} (${lower} to ${upper})`;

interface Measured {
  readonly name: string;
  readonly passAt1: Interval;
}

/** The best lower bound first; ties by estimate, then name, so that the order is total. */
export function byLowerBound(a: Measured, b: Measured): number {
  const [one, other] = [rateOf(a.passAt1), rateOf(b.passAt1)];
  return other.lower - one.lower || other.estimate - one.estimate || (a.name < b.name ? -1 : 1);
}

/** Those that have a Pass@1. */
export const measured = <T extends { passAt1?: Interval | undefined }>(all: readonly T[]): (T & { passAt1: Interval })[] =>
  all.flatMap((each) => (each.passAt1 ? [{ ...each, passAt1: each.passAt1 }] : []));
