import { rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { build } from "esbuild";
import { settings } from "./settings.ts";

/** Bundles `<directory>/main.ts` into `<directory>/dist/main.mjs`, for its image. */
export async function bundle(directory: string): Promise<void> {
  await bundleFile(join(directory, "main.ts"), join(directory, "dist"));
}

/**
 * Bundles a program with everything it imports into a folder, so that it needs nothing but Node, and returns the bundle's
 * path. What is only imported on demand has files of its own, beside it: a process keeps the text of all files that it has
 * loaded, and that of the client that reads a kubeconfig is 16 MB. CommonJS packages inside call `require`; the banner
 * gives them one. Paths are relative to the repository.
 */
export async function bundleFile(program: string, folder: string): Promise<string> {
  const outdir = join(settings.root, folder);
  await rm(outdir, { recursive: true, force: true });
  await build({
    absWorkingDir: settings.root,
    entryPoints: [program],
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    platform: "node",
    format: "esm",
    target: "node24",
    sourcemap: "linked",
    sourcesContent: false,
    // Without comments and indentation; one letter outside Latin-1 in a comment doubles the memory that a file's text takes.
    minifyWhitespace: true,
    legalComments: "linked",
    logLevel: "warning",
    banner: {
      js: 'import { createRequire as createRequireForBundle } from "node:module"; const require = createRequireForBundle(import.meta.url);',
    },
  });
  return join(outdir, `${basename(program, ".ts")}.mjs`);
}

if (import.meta.main) {
  if (process.argv.length < 3) throw new Error("usage: node cluster/bundle.ts <directory>…, such as `operator` or `workloads/agent`");
  for (const directory of process.argv.slice(2)) await bundle(directory);
}
