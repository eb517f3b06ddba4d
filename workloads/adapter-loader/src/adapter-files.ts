import { randomBytes } from "node:crypto";
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, systemClock } from "@rune/clients/clock";
import { sha256File } from "@rune/clients/registry/digest";
import {
  ArtifactMissing,
  type Descriptor,
  DigestMismatch,
  type Manifest,
  Registry,
  RegistryDenied,
  RegistryUnavailable,
  titleOf,
} from "@rune/clients/registry/registry";
import { type AdapterConfig, adapterConfig, adapterFile, learntFile, mediaType, trainingFile } from "@rune/crds/contracts/artifact";
import type { LoadRequest } from "@rune/crds/contracts/loader";
import { z } from "zod";
import type { BaseShapes } from "./base-shapes.ts";
import { Refused } from "./refused.ts";
import { validateAdapter } from "./validate.ts";

const adapterFiles = Object.values(adapterFile);
/** What an artifact may have besides; it says where the adapter comes from and stays in the registry. */
const otherFiles: readonly string[] = [learntFile, trainingFile];

/** An adapter whose verified files are in the directory that the engine reads. */
export type Staged = { name: string; digest: string; directory: string; config: AdapterConfig };

const recordFile = ".rune-adapter.json";
const record = z.object({ schema: z.literal("rune.dev/staged-adapter/v1"), name: z.string(), digest: z.string(), config: adapterConfig });

export type AdapterFilesOptions = {
  directory: string;
  registryURL: string;
  baseDigest: string | undefined;
  shapes: BaseShapes;
  maxRank: number;
  clock?: Clock;
};

/** Pulls adapters by digest and checks everything about them before they appear under their name for the engine. */
export class AdapterFiles {
  readonly #options: AdapterFilesOptions;

  constructor(options: AdapterFilesOptions) {
    this.#options = options;
  }

  /** Throws `Refused` when the artifact must not be loaded here, or is unavailable now. */
  async stage(name: string, request: LoadRequest): Promise<Staged> {
    const { registryURL, clock = systemClock } = this.#options;
    const registry = new Registry({ url: registryURL, token: request.registryToken, clock });
    try {
      const { manifest } = await registry.manifest(request.repository, request.digest);
      const config = await this.#config(registry, request, manifest);
      this.#agree(config, request);
      return await this.#pull(registry, name, request, layersOf(manifest, config), config);
    } catch (error) {
      throw refusalOf(error, request);
    }
  }

  /** What an earlier run of this program staged and no request has unloaded since. */
  async restore(): Promise<Staged[]> {
    await mkdir(this.#options.directory, { recursive: true });
    const found: Staged[] = [];
    for (const entry of await readdir(this.#options.directory)) {
      const directory = join(this.#options.directory, entry);
      const kept = record.safeParse(await readJSON(join(directory, recordFile)));
      if (kept.success && kept.data.name === entry)
        found.push({ name: entry, digest: kept.data.digest, config: kept.data.config, directory });
      else await rm(directory, { recursive: true, force: true });
    }
    return found;
  }

  /** Hashes the files again: what is loaded must still be what was checked. */
  async verify(staged: Staged): Promise<void> {
    for (const file of adapterFiles) {
      const found = await sha256File(join(staged.directory, file)).catch(() => undefined);
      if (found?.digest !== `sha256:${staged.config.files[file]?.sha256}`)
        throw new Refused("DigestMismatch", `${file} of ${staged.name} changed since it was checked; nothing was loaded`);
    }
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.#options.directory, name), { recursive: true, force: true });
  }

  async #config(registry: Registry, request: LoadRequest, manifest: Manifest): Promise<AdapterConfig> {
    const types = [manifest.artifactType, manifest.config.mediaType];
    if (types.some((type) => type !== mediaType.adapter))
      throw new Refused("NotAnAdapter", `${request.digest} is ${types.join(" with config ")}, not ${mediaType.adapter}`);
    return await registry.json(request.repository, manifest.config, adapterConfig);
  }

  /** Artifact, request, base and server must agree. */
  #agree(config: AdapterConfig, request: LoadRequest): void {
    const { baseDigest, maxRank } = this.#options;
    const bases = [config.base.digest, request.baseDigest, baseDigest ?? request.baseDigest];
    if (new Set(bases).size > 1)
      throw new Refused(
        "BaseMismatch",
        `the adapter was made for base ${config.base.digest}, its Adapter says ${request.baseDigest}, this server has ${baseDigest ?? "no known base"}`,
      );
    if (config.rank > maxRank)
      throw new Refused(
        "RankTooLarge",
        `the adapter has rank ${config.rank}, this server takes at most ${maxRank}; raise spec.adapters.maxRank`,
      );
    if (config.rank !== request.rank)
      throw new Refused("NotAnAdapter", `the artifact says rank ${config.rank}, its Adapter ${request.rank}`);
    const [said, asked] = [config.targetModules, request.targetModules].map((modules) => [...modules].sort().join(","));
    if (said !== asked) throw new Refused("UnknownModule", `the artifact says modules ${said}, its Adapter ${asked}`);
  }

  async #pull(registry: Registry, name: string, request: LoadRequest, layers: Descriptor[], config: AdapterConfig): Promise<Staged> {
    const directory = join(this.#options.directory, name);
    const draft = join(this.#options.directory, `.${name}.${randomBytes(4).toString("hex")}`);
    try {
      await mkdir(draft, { recursive: true });
      for (const layer of layers) {
        const path = join(draft, titleOf(layer) as string);
        await registry.download(request.repository, layer, path);
        await chmod(path, 0o644);
      }
      await validateAdapter(draft, config, this.#options.shapes);
      await writeFile(
        join(draft, recordFile),
        JSON.stringify({ schema: "rune.dev/staged-adapter/v1", name, digest: request.digest, config }),
      );
      await chmod(draft, 0o755);
      await rm(directory, { recursive: true, force: true });
      await rename(draft, directory);
      return { name, digest: request.digest, directory, config };
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  }
}

/**
 * The two files of an adapter, with the hashes in its config. What it was trained on, and how that went, may be listed
 * too; the engine doesn't need it.
 */
function layersOf(manifest: Manifest, config: AdapterConfig): Descriptor[] {
  const titles = manifest.layers.map((layer) => titleOf(layer) ?? "(untitled)");
  const listed = Object.keys(config.files);
  for (const found of [titles, listed]) {
    if (
      found
        .filter((file) => !otherFiles.includes(file))
        .sort()
        .join() !== [...adapterFiles].sort().join()
    )
      throw new Refused(
        "NotAnAdapter",
        `the artifact has the files ${found.join(", ") || "(none)"}; an adapter has ${adapterFiles.join(" and ")}, and may have ${otherFiles.join(" and ")}`,
      );
  }
  for (const layer of manifest.layers) {
    const file = config.files[titleOf(layer) ?? ""];
    if (layer.digest !== `sha256:${file?.sha256}` || layer.size !== file?.sizeBytes)
      throw new Refused("DigestMismatch", `the manifest and the config of the artifact name different bytes for ${titleOf(layer)}`);
  }
  return manifest.layers.filter((layer) => !otherFiles.includes(titleOf(layer) ?? ""));
}

function refusalOf(error: unknown, request: LoadRequest): unknown {
  const what = `${request.repository}@${request.digest}`;
  if (error instanceof RegistryUnavailable || error instanceof RegistryDenied)
    return new Refused("RegistryUnavailable", error.message, { cause: error });
  if (error instanceof ArtifactMissing) return new Refused("ArtifactMissing", error.message, { cause: error });
  if (error instanceof DigestMismatch) return new Refused("DigestMismatch", error.message, { cause: error });
  if (error instanceof z.ZodError)
    return new Refused("NotAnAdapter", `the config of ${what} is not an adapter's: ${z.prettifyError(error)}`, { cause: error });
  const code = (error as NodeJS.ErrnoException).code;
  if (code === "ENOSPC" || code === "EDQUOT")
    return new Refused("NoAdapterSlot", `no space is left for the files of ${what}; unload an adapter`, { cause: error });
  return error;
}

async function readJSON(path: string): Promise<unknown> {
  return await readFile(path, "utf8")
    .then(JSON.parse)
    .catch(() => undefined);
}
