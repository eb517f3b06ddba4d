import { join } from "node:path";
import { Registry } from "@rune/clients/registry/registry";
import { type BuiltImage, buildImages, cluster, ensureUp, helm, kubectl, loadImages } from "@rune/cluster/api";
import { progress } from "@rune/cluster/progress";
import { settings } from "@rune/cluster/settings";
import { spawnBound } from "@rune/cluster/shell";
import { kubectlCommand } from "@rune/cluster/tools";
import { registryToken } from "@rune/operator/credentials/registry-token";

/** Where Rune is installed, and as which Helm release. */
export interface Installation {
  readonly release: string;
  readonly systemNamespace: string;
}

/** Rune on a cluster: images built and loaded, the chart installed, its services ready. */
export async function install({ release, systemNamespace }: Installation): Promise<Record<string, BuiltImage>> {
  await ensureUp();
  const images = await progress.step("images", async () => loadImages(await buildImages()));
  await progress.step("helm upgrade --install rune", () =>
    helm([
      ...["upgrade", "--install", release, join(settings.root, "charts/rune")],
      ...["--namespace", systemNamespace, "--create-namespace"],
      ...["--values", join(settings.out, "values-images.yaml"), "--values", join(settings.root, "examples/00-quickstart/values.yaml")],
      ...(settings.imageVariant === "cpu" ? ["--values", join(settings.root, "examples/00-quickstart/values-cpu.yaml")] : []),
      // CRDs that were applied by hand before are taken over by the release.
      ...["--take-ownership", "--wait", "--timeout", "10m"],
    ]),
  );
  return images;
}

/** A client of the installation's registry for an administrator of the cluster: signs its own token with the installation's key. */
export async function adminRegistry({ systemNamespace }: Installation, repository: string): Promise<Disposable & { registry: Registry }> {
  const secret = JSON.parse(await kubectl(["get", "secret", "rune-keys", "-n", systemNamespace, "-o", "json"]));
  const key = JSON.parse(Buffer.from(secret.data["registry.jwk"], "base64").toString());
  const { url, [Symbol.dispose]: close } = await reachService(systemNamespace, "rune-registry", 5000);
  const grant = { subject: "quickstart", access: [{ repository, actions: ["pull", "push"] as const }], seconds: 3600 };
  return { registry: new Registry({ url, token: () => registryToken(key, grant) }), [Symbol.dispose]: close };
}

/** A URL for something in the cluster, valid on this machine until it is disposed of or this process exits. */
type Reached = Disposable & { url: string };

/** A Service of the cluster from this machine: by its cluster address where this machine is the node, by a forwarded port elsewhere. */
export async function reachService(namespace: string, service: string, port: number): Promise<Reached> {
  if (!cluster().embedded) return await forward(namespace, `service/${service}`, port);
  const address = (await kubectl(["get", "service", service, "-n", namespace, "-o", "jsonpath={.spec.clusterIP}"])).trim();
  return { url: `http://${address}:${port}`, [Symbol.dispose]: () => {} };
}

/** A port of a pod, likewise. Forwarded connections originate in the pod, so no NetworkPolicy applies to them. */
export async function reachPod(
  namespace: string,
  pod: { metadata: { name: string }; status: { podIP: string } },
  port: number,
): Promise<Reached> {
  if (!cluster().embedded) return await forward(namespace, `pod/${pod.metadata.name}`, port);
  return { url: `http://${pod.status.podIP}:${port}`, [Symbol.dispose]: () => {} };
}

async function forward(namespace: string, target: string, port: number): Promise<Reached> {
  const [command, ...first] = await kubectlCommand();
  const args = [...first, "--kubeconfig", cluster().kubeconfig, "port-forward", "-n", namespace, target, `:${port}`];
  const { said, [Symbol.dispose]: close } = await spawnBound(command, args);
  const local = /127\.0\.0\.1:(\d+)/.exec(said)?.[1];
  return { url: `http://127.0.0.1:${local}`, [Symbol.dispose]: close };
}
