import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { generatedFiles, generatedFolders } from "./files.ts";

const root = join(import.meta.dirname, "../..");

/** Paths in the checkout that differ from the schemas' output: changed, missing, or left over. */
function stalePaths(files: ReadonlyMap<string, string>): string[] {
  const differing = [...files].filter(([path, content]) => contentOf(path) !== content).map(([path]) => path);
  return [...differing, ...leftOver(files)].sort();
}

function contentOf(path: string): string | null {
  try {
    return readFileSync(join(root, path), "utf8");
  } catch {
    return null;
  }
}

function leftOver(files: ReadonlyMap<string, string>): string[] {
  return generatedFolders.flatMap((folder) => entriesOf(folder).map((name) => `${folder}/${name}`)).filter((path) => !files.has(path));
}

function entriesOf(folder: string): string[] {
  try {
    const entries = readdirSync(join(root, folder), { withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map((entry) => entry.name);
  } catch {
    return [];
  }
}

function write(files: ReadonlyMap<string, string>): void {
  for (const path of leftOver(files)) rmSync(join(root, path));
  for (const [path, content] of files) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
}

const files = generatedFiles();
const stale = stalePaths(files);
if (!process.argv.includes("--check")) {
  write(files);
  console.log(`${files.size} generated files, ${stale.length} changed`);
} else if (stale.length > 0) {
  console.error(`stale: ${stale.join(", ")}\nrun \`npm run generate\` and commit the result`);
  process.exitCode = 1;
}
