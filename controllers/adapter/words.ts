import { isDeepStrictEqual } from "node:util";
import { sha256 } from "@rune/clients/registry/digest";
import type { Evidence } from "@rune/crds/contracts/evidence";
import type { Adapter } from "@rune/crds/kinds/adapter";
import { annotation } from "@rune/crds/words/labels";
import { timestamp } from "kopf-ts";
import { shortDigest } from "../shared/names.ts";
import type { Status } from "./fold.ts";

/** What a person said by an annotation. In one namespace the same words count once, for ever; other words count again. */
export interface Word {
  readonly field: "archive" | "restore";
  readonly kind: "Archival" | "Restoration";
  readonly why: string;
  readonly uid: string;
}

const kinds = { archive: "Archival", restore: "Restoration" } as const;
const longestWhy = 500;

/** What the annotations say; one without words says nothing. */
export function wordsOf({ metadata }: Pick<Adapter, "metadata">): Word[] {
  return (["archive", "restore"] as const).flatMap((field) => {
    const value = metadata.annotations?.[annotation[field]];
    if (!value?.trim()) return [];
    return [
      { field, kind: kinds[field], why: value.trim().slice(0, longestWhy), uid: shortDigest(sha256(`${metadata.namespace}\n${value}`)) },
    ];
  });
}

/** An annotation that is there without saying why, or both at once: nobody can know what is meant. */
export function unclear({ metadata }: Pick<Adapter, "metadata">, unheard: readonly Word[]): string | undefined {
  const empty = Object.values(annotation).find((name) => metadata.annotations?.[name]?.trim() === "");
  if (empty) return `the annotation ${empty} is empty and does nothing; say why in it`;
  if (unheard.length < 2) return undefined;
  return `both ${annotation.archive} and ${annotation.restore} say something new, and neither was done; remove one of them`;
}

/** Words as status remembers those that are in the registry. */
export function heardOf(words: readonly Word[]): Status["heard"] {
  return words.length > 0 ? Object.fromEntries(words.map(({ field, uid }) => [field, uid])) : undefined;
}

/** Whether an annotation says something else than what status remembers, be it that it was done or that it couldn't be. */
export function isNewlySaid(adapter: Adapter): boolean {
  const { heard, unheard } = adapter.status ?? {};
  return !isDeepStrictEqual(heardOf(wordsOf(adapter)) ?? {}, { ...heard, ...unheard });
}

/** Words that status doesn't remember as done. */
export const unheardOf = (adapter: Adapter): Word[] => wordsOf(adapter).filter(({ field, uid }) => adapter.status?.heard?.[field] !== uid);

export function evidenceOfWord({ metadata, spec }: Adapter, { kind, why, uid }: Word, now: Date): Evidence {
  return {
    schema: "rune.dev/evidence/v1",
    kind,
    adapter: { name: metadata.name, digest: spec.artifact.digest },
    by: { kind: "Person", namespace: metadata.namespace, name: metadata.name, uid },
    time: timestamp(now),
    why,
  };
}
