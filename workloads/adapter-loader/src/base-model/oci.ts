import { mkdir, readdir, readFile, rm, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { PodFailure } from "@rune/clients/pod/pod";
import { modelDigest, sha256File } from "@rune/clients/registry/digest";
import { type Descriptor, Registry, titleOf } from "@rune/clients/registry/registry";
import { mediaType, modelConfig } from "@rune/crds/contracts/artifact";
import { exit } from "@rune/crds/contracts/pod";
import type { StageJob } from "@rune/crds/contracts/stage";
import type { Fetched } from "./model-files.ts";
import { safeName } from "./safe-name.ts";

/**
 * Pulls a model artifact; every file is hashed as it arrives, and the config's identity must match its own file list.
 */
export async function fromRegistry(
  reference: NonNullable<StageJob["base"]["oci"]>,
  registry: NonNullable<StageJob["registry"]>,
  target: string,
): Promise<Fetched> {
  const token = async () => (await readFile(registry.tokenFile, "utf8")).trim();
  const client = new Registry({ url: registry.url, token });
  const { manifest } = await client.manifest(reference.repository, reference.digest);
  const what = `${reference.repository}@${reference.digest}`;
  if (manifest.config.mediaType !== mediaType.model)
    throw refused(`${what} has the config ${manifest.config.mediaType}, not ${mediaType.model}`);
  const config = await client.json(reference.repository, manifest.config, modelConfig);
  if (modelDigest(config.files) !== config.digest)
    throw refused(`the config of ${what} names ${config.digest}, but its files have ${modelDigest(config.files)}`);
  const titles = manifest.layers.map((layer) => titleOf(layer) ?? "").sort();
  if (titles.join("\n") !== Object.keys(config.files).sort().join("\n"))
    throw refused(`the layers of ${what} are not the files that its config lists`);
  await removePartials(target);
  for (const layer of manifest.layers) {
    const title = safeName(titleOf(layer) ?? "");
    if (layer.digest !== `sha256:${config.files[title]?.sha256}`)
      throw refused(`the config and the manifest of ${what} name different bytes for ${title}`);
    if (!(await isThere(join(target, title), layer))) await client.download(reference.repository, layer, join(target, title));
  }
  return { name: config.name, files: config.files };
}

/** A download that was killed leaves its file, with another name each time: a stager that is started again would fill the disk. */
async function removePartials(target: string): Promise<void> {
  await mkdir(target, { recursive: true });
  const left = (await readdir(target, { recursive: true })).filter((path) => /^\..+\.[0-9a-f]{12}\.partial$/.test(basename(path)));
  for (const path of left) await rm(join(target, path), { force: true });
}

/** A file that an interrupted attempt completed isn't pulled again. */
async function isThere(path: string, layer: Descriptor): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.size === layer.size && (await sha256File(path)).digest === layer.digest;
}

function refused(message: string): PodFailure {
  return new PodFailure(exit.badInput, "NotAModel", `${message}; push the model again`);
}
