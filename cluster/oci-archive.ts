import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { sha256 } from "./content-key.ts";
import { run } from "./shell.ts";

/**
 * Turns the output of `buildah push dir:` (a manifest and blobs as they are in buildah's store) into an OCI archive.
 * buildah's own `oci-archive:` compresses every layer, whatever its options: slow, and another digest.
 * Blobs that the reader has already (`present`, as sha256:…) are left out.
 */
export async function archiveDirectory(directory: string, reference: string, archive: string, present: ReadonlySet<string>): Promise<void> {
  const blobs = join(directory, "blobs/sha256");
  await mkdir(blobs, { recursive: true });
  for (const file of await readdir(directory))
    if (isBlob(file) && !present.has(`sha256:${file}`)) await rename(join(directory, file), join(blobs, file));
  const manifest = join(directory, "manifest.json");
  const digest = sha256(await readFile(manifest));
  const index = indexOf(reference, digest, (await stat(manifest)).size);
  await rename(manifest, join(blobs, digest));
  await rm(join(directory, "version"), { force: true });
  await writeFile(join(directory, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  await writeFile(join(directory, "index.json"), JSON.stringify(index));
  await run("tar", ["-C", directory, "-cf", archive, "oci-layout", "index.json", "blobs"]);
}

const isBlob = (name: string) => /^[0-9a-f]{64}$/.test(name);

export function indexOf(reference: string, digest: string, size: number): object {
  const annotations = { "io.containerd.image.name": reference, "org.opencontainers.image.ref.name": reference };
  const manifest = { mediaType: "application/vnd.oci.image.manifest.v1+json", digest: `sha256:${digest}`, size, annotations };
  return { schemaVersion: 2, mediaType: "application/vnd.oci.image.index.v1+json", manifests: [manifest] };
}
