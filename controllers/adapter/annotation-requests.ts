import { isDeepStrictEqual } from "node:util";
import { sha256 } from "@rune/clients/registry/digest";
import type { Evidence } from "@rune/crds/contracts/evidence";
import type { Adapter } from "@rune/crds/kinds/adapter";
import { annotation } from "@rune/crds/words/labels";
import { timestamp } from "kopf-ts";
import { shortDigest } from "../shared/names.ts";
import type { Status } from "./fold-evidence.ts";

/** A person's request by annotation. Within a namespace the same text is applied once; a different text is new. */
export interface AnnotationRequest {
  readonly field: "archive" | "restore";
  readonly kind: "Archival" | "Restoration";
  readonly why: string;
  readonly uid: string;
}

const kinds = { archive: "Archival", restore: "Restoration" } as const;
const longestWhy = 500;

/** The requests in the annotations; an empty annotation is none. */
export function annotationRequests({ metadata }: Pick<Adapter, "metadata">): AnnotationRequest[] {
  return (["archive", "restore"] as const).flatMap((field) => {
    const value = metadata.annotations?.[annotation[field]];
    if (!value?.trim()) return [];
    return [
      { field, kind: kinds[field], why: value.trim().slice(0, longestWhy), uid: shortDigest(sha256(`${metadata.namespace}\n${value}`)) },
    ];
  });
}

/** Why the annotations are ambiguous: one has no text, or both ask for something new. */
export function unclear({ metadata }: Pick<Adapter, "metadata">, unheard: readonly AnnotationRequest[]): string | undefined {
  const empty = Object.values(annotation).find((name) => metadata.annotations?.[name]?.trim() === "");
  if (empty) return `the annotation ${empty} is empty and does nothing; say why in it`;
  if (unheard.length < 2) return undefined;
  return `both ${annotation.archive} and ${annotation.restore} say something new, and neither was done; remove one of them`;
}

/** The form in which status remembers requests that are in the registry. */
export function heardOf(words: readonly AnnotationRequest[]): Status["heard"] {
  return words.length > 0 ? Object.fromEntries(words.map(({ field, uid }) => [field, uid])) : undefined;
}

/** Whether an annotation differs from what status remembers, as applied or as impossible. */
export function isNewlySaid(adapter: Adapter): boolean {
  const { heard, unheard } = adapter.status ?? {};
  return !isDeepStrictEqual(heardOf(annotationRequests(adapter)) ?? {}, { ...heard, ...unheard });
}

/** Requests that status doesn't remember as applied. */
export const unheardOf = (adapter: Adapter): AnnotationRequest[] =>
  annotationRequests(adapter).filter(({ field, uid }) => adapter.status?.heard?.[field] !== uid);

export function evidenceOfWord({ metadata, spec }: Adapter, { kind, why, uid }: AnnotationRequest, now: Date): Evidence {
  return {
    schema: "rune.dev/evidence/v1",
    kind,
    adapter: { name: metadata.name, digest: spec.artifact.digest },
    by: { kind: "Person", namespace: metadata.namespace, name: metadata.name, uid },
    time: timestamp(now),
    why,
  };
}
