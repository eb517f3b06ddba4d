import { mkdir, readdir, stat, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PodFailure } from "@rune/clients/pod/pod";
import { sha256File } from "@rune/clients/registry/digest";
import { exit } from "@rune/crds/contracts/pod";
import type { Fetched, ModelFiles } from "./model-files.ts";

/** A model that is already on a volume: hashed in place and linked, because copying would only cost time and space. */
export async function fromVolume(path: string, target: string): Promise<Fetched> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isDirectory())
    throw new PodFailure(exit.badInput, "NotAModel", `the volume has no directory ${path}; correct spec.base.pvc.path`);
  const files: ModelFiles = {};
  for (const name of await modelFilesIn(path)) {
    const { digest, sizeBytes } = await sha256File(join(path, name));
    files[name] = { sha256: digest.slice("sha256:".length), sizeBytes };
    if (path !== target) await link(join(path, name), join(target, name));
  }
  return { name: path.replace(/\/+$/, "").split("/").slice(-2).join("/"), files };
}

async function modelFilesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const names = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.replace(/\/+$/, "").length + 1));
  return names.filter((name) => !name.split("/").some((part) => part.startsWith("."))).sort();
}

async function link(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await symlink(from, to).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
}
