import { chmod, mkdir, mkdtemp, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { keyOf, listFiles, treeKey } from "./content-key.ts";

async function tree(files: Record<string, string>): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), "rune-tree-"));
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), text);
  }
  return directory;
}
const key = async (directory: string) => treeKey(directory, await listFiles(directory));

describe("a content key", () => {
  it("is the same for the same content in another place and at another time", async () => {
    const [one, two] = [await tree({ "a/b": "x", c: "y" }), await tree({ "a/b": "x", c: "y" })];
    await utimes(join(two, "c"), 1, 1);
    expect(await key(one)).toBe(await key(two));
  });

  it("differs when a byte, a name, a bit or a link differs", async () => {
    const keys = new Set([await key(await tree({ a: "x" })), await key(await tree({ a: "y" })), await key(await tree({ b: "x" }))]);
    const executable = await tree({ a: "x" });
    await chmod(join(executable, "a"), 0o755);
    keys.add(await key(executable));
    const link = await tree({});
    await symlink("x", join(link, "a"));
    keys.add(await key(link));
    expect(keys.size).toBe(5);
  });

  it("cannot be made equal by moving text from one part into another", () => {
    expect(keyOf({ a: "bc", d: "" })).not.toBe(keyOf({ a: "b", d: "c" }));
    expect(keyOf({ 'a":': "b" })).not.toBe(keyOf({ a: '":b' }));
  });

  it("does not depend on the order in which parts are named", () => {
    expect(keyOf({ a: "1", b: "2" })).toBe(keyOf({ b: "2", a: "1" }));
  });
});

describe("listing files", () => {
  it("leaves out names at any depth and paths at their place", async () => {
    const directory = await tree({ "src/a.py": "", "src/__pycache__/a.pyc": "", "tests/a.py": "", "src/tests/b.py": "", "x.test.ts": "" });
    expect(await listFiles(directory, ["__pycache__", "*.test.ts", "tests/**"])).toEqual(["src/a.py", "src/tests/b.py"]);
  });
});
