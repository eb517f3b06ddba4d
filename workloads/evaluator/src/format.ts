import type { Estimate } from "./intervals.ts";

/*
 * Numbers and lists as people write them.
 */

export const plural = (count: number, noun: string) => `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;
export const percent = (fraction: number) => `${(100 * fraction).toFixed(1)} %`;
export const points = (value: number) => `${value > 0 ? "+" : ""}${value.toFixed(1)}`;
export const interval = ({ lower, upper }: Estimate) => `${points(lower)} to ${points(upper)}`;
/** A thousand's separator that breaks no line and means the same everywhere. */
export const grouped = (value: number) => String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, "\u202f");
/** A confidence such as 95 % or 99.97 %. */
export const sureness = (confidence: number) => `${Number((100 * confidence).toFixed(confidence > 0.999 ? 4 : 2))} %`;

/** The first words of a text made of several. */
export function listed(items: readonly string[]): string {
  return items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;
}

/** `: a, b and 3 more`; empty without items. */
export function some(items: readonly string[], most = 12): string {
  if (items.length === 0) return "";
  const more = items.length > most ? ` and ${items.length - most} more` : "";
  return `: ${items.slice(0, most).join(", ")}${more}`;
}

export const alphabetical = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
