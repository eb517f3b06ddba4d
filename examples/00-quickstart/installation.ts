import { spawn } from "node:child_process";
import { join } from "node:path";
import { Registry } from "@rune/clients/registry";
import { registryToken } from "@rune/clients/registry-token";
import { type BuiltImage, buildImages, cluster, ensureUp, helm, kubectl, loadImages } from "@rune/cluster/api";
import { progress } from "@rune/cluster/progress";
import { settings } from "@rune/cluster/settings";
import { kubectlCommand } from "@rune/cluster/tools";
import type { Options } from "./options.ts";

/** Rune on a cluster: images built and loaded, the chart installed, its services answering. */
export async function install({ release, systemNamespace }: Options): Promise<Record<string, BuiltImage>> {
  await ensureUp();
  const images = await progress.step("images", async () => loadImages(await buildImages()));
  await progress.step("helm upgrade --install rune", () =>
    helm([
      ...["upgrade", "--install", release, join(settings.root, "charts/rune")],
      ...["--namespace", systemNamespace, "--create-namespace"],
      ...["--values", join(settings.out, "values-images.yaml")],
      ...(settings.imageVariant === "cpu" ? ["--values", join(settings.root, "examples/00-quickstart/values-cpu.yaml")] : []),
      // CRDs that were applied by hand before become the release's.
      ...["--take-ownership", "--wait", "--timeout", "10m"],
    ]),
  );
  return images;
}

/** A client of the installation's registry for an administrator of the cluster: signs its own token with the installation's key. */
export async function adminRegistry({ systemNamespace }: Options, repository: string): Promise<{ registry: Registry; close: () => void }> {
  const secret = JSON.parse(await kubectl(["get", "secret", "rune-keys", "-n", systemNamespace, "-o", "json"]));
  const key = JSON.parse(Buffer.from(secret.data["registry.jwk"], "base64").toString());
  const { url, close } = await reach(systemNamespace, "rune-registry", 5000);
  const grant = { subject: "quickstart", access: [{ repository, actions: ["pull", "push"] as const }], seconds: 3600 };
  return { registry: new Registry({ url, token: () => registryToken(key, grant) }), close };
}

/** A Service of the cluster from this machine: by its cluster address where this machine is the node, by a forwarded port elsewhere. */
export async function reach(namespace: string, service: string, port: number): Promise<{ url: string; close: () => void }> {
  if (cluster().embedded) {
    const address = (await kubectl(["get", "service", service, "-n", namespace, "-o", "jsonpath={.spec.clusterIP}"])).trim();
    return { url: `http://${address}:${port}`, close: () => {} };
  }
  const [command, ...first] = await kubectlCommand();
  const child = spawn(
    command,
    [...first, "--kubeconfig", cluster().kubeconfig, "port-forward", "-n", namespace, `service/${service}`, `:${port}`],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout.once("data", (data: Buffer) => resolve(data.toString()));
    child.once("exit", (code) => reject(new Error(`kubectl port-forward to ${service} ended with ${code}`)));
  });
  const local = /127\.0\.0\.1:(\d+)/.exec(line)?.[1];
  return { url: `http://127.0.0.1:${local}`, close: () => void child.kill() };
}
