import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { withLock } from "./lock.ts";
import { settings } from "./settings.ts";
import { type RunOptions, run } from "./shell.ts";

/** The environment of a buildah on our store, for callers that start it themselves. */
export async function storeEnvironment(): Promise<Record<string, string>> {
  const home = join(settings.cache, "buildah");
  const configuration = join(home, "storage.conf");
  await mkdir(home, { recursive: true });
  await writeFile(configuration, storageConfiguration(home));
  return { CONTAINERS_STORAGE_CONF: configuration, BUILDAH_ISOLATION: "chroot" };
}

/** Runs buildah on a separate store, inside the cache: no daemon, and nothing in the machine's own store. */
export async function buildah(args: string[], options: RunOptions = {}): Promise<string> {
  return run("buildah", args, { ...options, env: { ...options.env, ...(await storeEnvironment()) } });
}

/**
 * Code that keeps containers in the store for a while must run exclusively, because the next build removes all
 * containers.
 */
export function inStore<Result>(work: () => Promise<Result>): Promise<Result> {
  return withLock(join(settings.cache, "buildah.lock"), work);
}

function storageConfiguration(home: string): string {
  return `[storage]\ndriver = "overlay"\nrunroot = "${home}/run"\ngraphroot = "${home}/graph"\n`;
}
