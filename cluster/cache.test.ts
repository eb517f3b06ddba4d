import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, it } from "vitest";
import { cached } from "./cache.ts";
import { withLock } from "./lock.ts";
import { settings } from "./settings.ts";

beforeEach(async () => {
  settings.cache = await mkdtemp(join(tmpdir(), "rune-cache-"));
});

it("builds once, and again after the cache was deleted", async () => {
  let built = 0;
  const make = () => cached("kind", "key", async (directory) => writeFile(join(directory, "file"), String(++built)));
  await make();
  await make();
  expect(built).toBe(1);
  await rm(settings.cache, { recursive: true });
  expect(await readFile(join(await make(), "file"), "utf8")).toBe("2");
});

it("leaves nothing behind of a build that failed, and the next one works", async () => {
  const failing = cached("kind", "key", async (directory) => {
    await writeFile(join(directory, "half"), "written");
    throw new Error("no space");
  });
  await expect(failing).rejects.toThrow("no space");
  expect((await readdir(join(settings.cache, "kind"))).filter((name) => !name.endsWith(".lock"))).toEqual([]);
  expect(existsSync(await cached("kind", "key", async () => {}))).toBe(true);
});

it("builds the same thing once even when asked twice at the same time", async () => {
  let building = 0;
  const make = () =>
    cached("kind", "key", async () => {
      building++;
    });
  await Promise.all([make(), make(), make()]);
  expect(building).toBe(1);
});

it("gives a lock to one at a time", async () => {
  let inside = 0;
  let most = 0;
  const enter = () =>
    withLock(join(settings.cache, "lock"), async () => {
      most = Math.max(most, ++inside);
      await new Promise((resolve) => setImmediate(resolve));
      inside--;
    });
  await Promise.all([enter(), enter(), enter()]);
  expect(most).toBe(1);
});
