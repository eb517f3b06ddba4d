import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { withLock } from "./lock.ts";
import { settings } from "./settings.ts";

/**
 * The directory `<cache>/<kind>/<key>`, made by `build` if it doesn't exist. It appears completely or not at all, two
 * processes never build the same one at once, and no directory depends on an earlier one.
 */
export async function cached(kind: string, key: string, build: (directory: string) => Promise<void>): Promise<string> {
  const place = join(settings.cache, kind, key);
  if (existsSync(place)) return place;
  await mkdir(dirname(place), { recursive: true });
  return withLock(`${place}.lock`, async () => {
    if (existsSync(place)) return place;
    const draft = `${place}.${randomBytes(4).toString("hex")}`;
    try {
      await mkdir(draft);
      await build(draft);
      await rename(draft, place);
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
    return place;
  });
}
