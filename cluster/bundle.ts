import { rm } from "node:fs/promises";
import { join } from "node:path";
import { build } from "esbuild";
import { settings } from "./settings.ts";

/**
 * Bundles `<directory>/main.ts` with everything it imports into `<directory>/dist/main.mjs`, so that its image needs
 * Node and one file. CommonJS packages inside call `require`; the banner gives them one.
 */
export async function bundle(directory: string): Promise<void> {
  const from = join(settings.root, directory);
  await rm(join(from, "dist"), { recursive: true, force: true });
  await build({
    absWorkingDir: settings.root,
    entryPoints: [join(from, "main.ts")],
    outfile: join(from, "dist/main.mjs"),
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node24",
    sourcemap: "linked",
    sourcesContent: false,
    logLevel: "warning",
    banner: {
      js: 'import { createRequire as createRequireForBundle } from "node:module"; const require = createRequireForBundle(import.meta.url);',
    },
  });
}

if (import.meta.main) {
  if (process.argv.length < 3) throw new Error("usage: node cluster/bundle.ts <directory>…, such as `operator` or `workloads/agent`");
  for (const directory of process.argv.slice(2)) await bundle(directory);
}
