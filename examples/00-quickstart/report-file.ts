import { layerOf } from "@rune/clients/registry/registry";
import type { ArtifactReference } from "@rune/crds/fields/artifact-reference";
import { adminRegistry, type Installation } from "./installation.ts";

const largest = 16 * 1024 * 1024;

/** A file of a report in the installation's registry, as text. */
export async function reportFile(installation: Installation, { repository, digest }: ArtifactReference, title: string): Promise<string> {
  using access = await adminRegistry(installation, repository);
  const { manifest } = await access.registry.manifest(repository, digest);
  const layer = layerOf(manifest, title);
  if (!layer) throw new Error(`${repository}@${digest} holds no ${title}`);
  const bytes = await access.registry.blob(repository, layer.digest, { maxBytes: largest });
  return bytes.toString();
}
