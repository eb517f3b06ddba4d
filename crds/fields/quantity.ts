import { z } from "zod";

/*
 * Quantities of Kubernetes (apimachinery, pkg/api/resource, Quantity), without those below zero: a number, then nothing,
 * a unit of powers of ten (n to E) or two (Ki to Ei), or an exponent of ten. `1E` is a unit and `1E3` an exponent.
 */
const number = "[0-9]+(\\.[0-9]*)?|\\.[0-9]+";
const numberAboveZero = "[0-9]*[1-9][0-9]*(\\.[0-9]*)?|[0-9]*\\.[0-9]*[1-9][0-9]*";
const scale = "[numkMGTPE]|[KMGTPE]i|[eE][-+]?[0-9]{1,3}";
const patternOf = (digits: string) => new RegExp(`^\\+?(${digits})(${scale})?$`);

/** A Kubernetes quantity, such as `500m`, `4Gi`, `2e3`, `1` or `0`. */
export const quantity = () => z.string().max(32).regex(patternOf(number));

/**
 * A Kubernetes quantity above zero, such as `512Mi`: as a size or a limit zero is either useless or no limit at all.
 */
export const quantityAboveZero = () => z.string().max(32).regex(patternOf(numberAboveZero));

const powers = (base: number, units: readonly string[]) => units.map((unit, index) => [unit, base ** (index + 1)] as const);
const factors: Readonly<Record<string, number>> = {
  ...Object.fromEntries(powers(1000, ["k", "M", "G", "T", "P", "E"])),
  ...Object.fromEntries(powers(1024, ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"])),
  ...Object.fromEntries(powers(1 / 1000, ["m", "u", "n"])),
};
/** Kubernetes cuts larger quantities to this, an int64's largest. */
const largest = 2 ** 63 - 1;

/** A quantity as a number, in bytes for memory and in cores for CPUs; throws an Error for what `quantity` refuses. */
export function amountOf(text: string): number {
  if (!quantity().safeParse(text).success)
    throw new Error(`${text} is no Kubernetes quantity; write a number from 0, and n, u, m, k, M, G, T, P, E, Ki to Ei or an exponent`);
  const [, digits = "", unit = ""] = /^(.*?[0-9.])([a-zA-Z]*)$/.exec(text) ?? [];
  // With an exponent it is a number as JavaScript writes it.
  return Math.min(Number(digits) * (factors[unit] ?? 1), largest);
}
