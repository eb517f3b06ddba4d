import type { Dirent } from "node:fs";
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
  return { name: join(path).replace(/\/+$/, "").split("/").slice(-2).join("/"), files };
}

/**
 * Level by level, because other directories may be unreadable: at the root of an ext4 volume, only root may enter
 * `lost+found`.
 */
async function modelFilesIn(directory: string): Promise<string[]> {
  const names: string[] = [];
  const left = [""];
  for (let parent = left.pop(); parent !== undefined; parent = left.pop())
    for (const entry of await entriesOf(join(directory, parent))) {
      if (entry.name.startsWith(".") || entry.name === "lost+found") continue;
      (entry.isDirectory() ? left : names).push(join(parent, entry.name));
    }
  return names.sort();
}

async function entriesOf(directory: string): Promise<Dirent[]> {
  return await readdir(directory, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EACCES") throw error;
    throw new PodFailure(
      exit.badInput,
      "NotAModel",
      `the pod's user (${process.getuid?.()}) can't read the directory ${directory} of the volume; make it readable for all (chmod o+rx), or move it out of the model's directory`,
      { cause: error },
    );
  });
}

async function link(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  await symlink(from, to).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
}
