import type { Scope } from "@rune/crds/fields/scope";
import { label } from "@rune/crds/words/labels";

const isLabelValue = (value: string | undefined) => value !== undefined && /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(value);

/** The labels by which selectors find a scope. */
export function scopeLabels({ project, domain }: Scope): Record<string, string> {
  return legalLabels({ [label.project]: project, [label.domain]: domain });
}

/** Those of the wished labels that the API server takes: scopes and names in artifacts are free text; what can't be a value gets no label. */
export function legalLabels(wished: Record<string, string | undefined>): Record<string, string> {
  return Object.fromEntries(Object.entries(wished).filter((entry): entry is [string, string] => isLabelValue(entry[1])));
}

/** Whether an object carries all of these labels. */
export const hasLabels = (
  { metadata }: { metadata: { labels?: Record<string, string> | undefined } },
  wanted: Readonly<Record<string, string>>,
) => Object.entries(wanted).every(([name, value]) => metadata.labels?.[name] === value);
