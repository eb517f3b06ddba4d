import { layerOf } from "@rune/clients/registry/registry";
import type { ArtifactReference } from "@rune/crds/fields/artifact-reference";
import { adminRegistry, type Installation } from "./installation.ts";
import type { Timings } from "./timings.ts";

const largest = 16 * 1024 * 1024;

/** A file of an evaluation's report in the installation's registry, as text. */
export async function reportFile(installation: Installation, { repository, digest }: ArtifactReference, title: string): Promise<string> {
  using access = await adminRegistry(installation, repository);
  const { manifest } = await access.registry.manifest(repository, digest);
  const layer = layerOf(manifest, title);
  if (!layer) throw new Error(`${repository}@${digest} holds no ${title}`);
  const bytes = await access.registry.blob(repository, layer.digest, { maxBytes: largest });
  return bytes.toString();
}

/** Lines of a report: the duration of each part, the longest first. */
export function durationLines({ minutes, parts }: Timings["figures"], width = 26): string {
  const longest = Object.entries(parts).toSorted((a, b) => b[1] - a[1]);
  const lines = longest.map(([part, value]) => `    ${part.padEnd(width)} ${value.toFixed(1).padStart(5)} min`);
  return [`  Where the time went (${minutes} minutes)`, ...lines].join("\n");
}

/** Lines of a report: the example's claims, and whether they held. */
export function claimLines(checks: Readonly<Record<string, boolean>>): string {
  const lines = Object.entries(checks).map(([what, holds]) => `    ${holds ? "yes" : "NO "}  ${what}`);
  return ["  What this was meant to show", ...lines].join("\n");
}
