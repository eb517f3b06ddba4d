import { createHash } from "node:crypto";
import { readdir, readFile, readlink, stat } from "node:fs/promises";
import { join, matchesGlob } from "node:path";

export function sha256(data: string | Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}

/** One key for a list of named parts; the order of the names does not matter, every byte of the values does. */
export function keyOf(parts: Record<string, string>): string {
  const lines = Object.entries(parts).map(([name, value]) => `${JSON.stringify(name)}:${sha256(value)}\n`);
  return sha256(lines.sort().join(""));
}

/** Paths below `directory` that are not left out by a pattern, sorted. A pattern without a slash matches at any depth. */
export async function listFiles(directory: string, leaveOut: readonly string[] = []): Promise<string[]> {
  const found: string[] = [];
  const visit = async (below: string): Promise<void> => {
    for (const entry of await readdir(join(directory, below), { withFileTypes: true })) {
      const path = below ? `${below}/${entry.name}` : entry.name;
      if (leaveOut.some((pattern) => matchesGlob(path, pattern) || (!pattern.includes("/") && matchesGlob(entry.name, pattern)))) continue;
      if (entry.isDirectory()) await visit(path);
      else found.push(path);
    }
  };
  await visit("");
  return found.sort();
}

/**
 * A key of the names, contents and executable bits of files; times, owners and the directory's own path don't count.
 */
export async function treeKey(directory: string, files: readonly string[]): Promise<string> {
  const parts: Record<string, string> = {};
  for (const file of files) parts[file] = await fileKey(join(directory, file));
  return keyOf(parts);
}

async function fileKey(path: string): Promise<string> {
  const target = await readlink(path).catch(() => undefined);
  if (target !== undefined) return `link ${target}`;
  const executable = (await stat(path)).mode & 0o100 ? "executable" : "plain";
  return `${executable} ${sha256(await readFile(path))}`;
}
