import { slope } from "../statistics.ts";
import type { Widget } from "../widgets.ts";

export interface Child {
  readonly metadata: { readonly name: string };
  readonly data?: { readonly revision?: string };
}

/** What the operator has not done yet; a sentence each. Empty: every key is as its spec says. */
export function owed(widgets: readonly Widget[], children: readonly Child[]): string[] {
  const byName = new Map(children.map((child) => [child.metadata.name, child]));
  const found: string[] = [];
  for (const { metadata, spec, status } of widgets) {
    const child = byName.get(metadata.name);
    byName.delete(metadata.name);
    if (metadata.deletionTimestamp) found.push(`${metadata.name} should be deleted but still exists`);
    else if (status?.revision !== spec?.revision)
      found.push(`${metadata.name} is at revision ${status?.revision ?? "none"}, not ${spec?.revision}`);
    else if (child?.data?.revision !== String(spec?.revision))
      found.push(`${metadata.name}'s ConfigMap is at ${child?.data?.revision ?? "none"}, not ${spec?.revision}`);
  }
  for (const name of byName.keys()) found.push(`${name}'s ConfigMap exists, but ${name} doesn't`);
  return found;
}

export interface MemorySample {
  readonly seconds: number;
  readonly pid: number;
  readonly rssMebibytes: number;
}

export interface Growth {
  readonly pid: number;
  readonly minutes: number;
  readonly mebibytesPerMinute: number;
}

/** How fast the memory of each process grew from `fromSeconds` on; only for processes that ran all of that time. */
export function growths(samples: readonly MemorySample[], fromSeconds: number): Growth[] {
  const late = samples.filter(({ seconds }) => seconds >= fromSeconds);
  const end = Math.max(...late.map(({ seconds }) => seconds));
  return [...Map.groupBy(late, ({ pid }) => pid)].flatMap(([pid, own]) => {
    const [first, last] = [own[0]?.seconds ?? 0, own.at(-1)?.seconds ?? 0];
    if (first > fromSeconds + 30 || last < end - 30) return [];
    const mebibytesPerMinute = slope(own.map(({ seconds, rssMebibytes }) => [seconds / 60, rssMebibytes]));
    return [{ pid, minutes: (last - first) / 60, mebibytesPerMinute }];
  });
}
