import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { withLock } from "./lock.ts";
import { settings } from "./settings.ts";
import { type RunOptions, run } from "./shell.ts";

/** What a buildah needs to know of our store, for who starts one himself. */
export async function storeEnvironment(): Promise<Record<string, string>> {
  const home = join(settings.cache, "buildah");
  const configuration = join(home, "storage.conf");
  await mkdir(home, { recursive: true });
  await writeFile(configuration, storageConfiguration(home));
  return { CONTAINERS_STORAGE_CONF: configuration, BUILDAH_ISOLATION: "chroot" };
}

/** Runs buildah on a store of ours, inside the cache: no daemon, and nothing of it in the machine's own store. */
export async function buildah(args: string[], options: RunOptions = {}): Promise<string> {
  return run("buildah", args, { ...options, env: { ...options.env, ...(await storeEnvironment()) } });
}

/** Whatever leaves containers in the store for a while does so alone, because the next build clears away all that it finds. */
export function inStore<Result>(work: () => Promise<Result>): Promise<Result> {
  return withLock(join(settings.cache, "buildah.lock"), work);
}

function storageConfiguration(home: string): string {
  return `[storage]\ndriver = "overlay"\nrunroot = "${home}/run"\ngraphroot = "${home}/graph"\n`;
}
