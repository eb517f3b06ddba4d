import { canonicalJSON, sha256 } from "@rune/clients/registry/digest";
import { group } from "@rune/crds/words/group";
import type { KubeObject } from "kopf-ts";

const appliedAnnotation = `${group}/applied`;

/** A manifest with its own hash, so that removed fields are detected too. */
export function stamped<T extends KubeObject>(manifest: T): T {
  const hash = sha256(canonicalJSON(manifest)).slice("sha256:".length, "sha256:".length + 16);
  return { ...manifest, metadata: { ...manifest.metadata, annotations: { ...manifest.metadata.annotations, [appliedAnnotation]: hash } } };
}

/** The manifests, stamped, that differ from the cluster: unchanged ones aren't written again. */
export function drifted<T extends KubeObject>(manifests: readonly T[], find: (manifest: T) => KubeObject | undefined): T[] {
  return manifests.map(stamped).filter((manifest) => !isWithin(manifest, find(manifest)));
}

/** Whether `actual`, with the server's defaults, contains everything in `wanted`. */
export function isWithin(wanted: unknown, actual: unknown): boolean {
  if (Array.isArray(wanted))
    return Array.isArray(actual) && actual.length === wanted.length && wanted.every((item, index) => isWithin(item, actual[index]));
  if (wanted === null || typeof wanted !== "object") return wanted === undefined || wanted === actual;
  if (actual === null || typeof actual !== "object") return false;
  return Object.entries(wanted).every(([name, value]) => isWithin(value, (actual as Record<string, unknown>)[name]));
}
