import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * Runs before and after `npm pack`: within the workspace `kopf-ts` is its TypeScript sources, in the package it is
 * JavaScript with declarations. `node pack.ts prepare` compiles to `dist/` and replaces the workspace's manifest by
 * the package's; `node pack.ts restore` restores it. Publish the tarball: `npm publish` of the folder reads the
 * manifest again after packing, finds the private one of the workspace, and refuses.
 */
const folder = import.meta.dirname;
const manifest = join(folder, "package.json");
const workspaceManifest = join(folder, "package.workspace.json");
const dist = join(folder, "dist");

interface Manifest {
  exports: Record<string, string>;
  private?: boolean;
  scripts?: unknown;
  [field: string]: unknown;
}

function prepare(): void {
  restore();
  rmSync(dist, { recursive: true, force: true });
  execFileSync("tsc", ["-p", join(folder, "tsconfig.build.json")], { stdio: "inherit" });
  nameJavaScriptInDeclarations();
  renameSync(manifest, workspaceManifest);
  const { private: _private, scripts: _scripts, ...packed } = JSON.parse(readFileSync(workspaceManifest, "utf8")) as Manifest;
  writeFileSync(manifest, `${JSON.stringify({ ...packed, exports: compiled(packed.exports) }, null, 2)}\n`);
}

/** `./src/x.ts` becomes `./dist/x.js` with its types. */
function compiled(exports: Manifest["exports"]): Record<string, { types: string; default: string }> {
  const places = Object.entries(exports).map(([name, source]) => {
    const place = source.replace("./src/", "./dist/").replace(/\.ts$/, "");
    return [name, { types: `${place}.d.ts`, default: `${place}.js` }] as const;
  });
  return Object.fromEntries(places);
}

/** tsc rewrites the extensions of imports in JavaScript only; in declarations a `.ts` would be resolved as a source. */
function nameJavaScriptInDeclarations(): void {
  for (const name of readdirSync(dist, { recursive: true, encoding: "utf8" })) {
    if (!name.endsWith(".d.ts")) continue;
    const path = join(dist, name);
    writeFileSync(path, readFileSync(path, "utf8").replaceAll(/(from |import\()"(\.{1,2}\/[^"]+)\.ts"/g, '$1"$2.js"'));
  }
}

function restore(): void {
  if (existsSync(workspaceManifest)) renameSync(workspaceManifest, manifest);
}

const steps: Record<string, () => void> = { prepare, restore };
const step = steps[process.argv[2] ?? ""];
if (!step) throw new Error("say what to do: node pack.ts prepare, or node pack.ts restore");
step();
