import type { Scope } from "@rune/crds/fields/scope";
import { label } from "@rune/crds/words/labels";

const isLabelValue = (value: string | undefined) => value !== undefined && /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(value);

/** Labels for selecting by scope. */
export function scopeLabels({ project, domain }: Scope): Record<string, string> {
  return legalLabels({ [label.project]: project, [label.domain]: domain });
}

/**
 * The given labels without invalid values: scopes and names in artifacts are free text, so those that can't be a
 * label's value are omitted.
 */
export function legalLabels(wished: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(wished).filter((entry): entry is [string, string] => isLabelValue(entry[1])));
}

/** Whether an object has all of these labels. */
export const hasLabels = (
  { metadata }: { metadata: { labels?: Record<string, string> | undefined } },
  wanted: Readonly<Record<string, string>>,
) => Object.entries(wanted).every(([name, value]) => metadata.labels?.[name] === value);
