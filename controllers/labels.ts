import { label, type Scope } from "@rune/crds/common";

const isLabelValue = (value: string | undefined) => value !== undefined && /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/.test(value);

/** The labels by which selectors find a scope. A scope is free text; what can't be a label's value gets none. */
export function scopeLabels({ project, domain }: Scope): Record<string, string> {
  const wished = { [label.project]: project, [label.domain]: domain };
  return Object.fromEntries(Object.entries(wished).filter((entry): entry is [string, string] => isLabelValue(entry[1])));
}
