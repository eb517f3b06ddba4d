import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Everything that this room reads from the environment; no other file of it reads process.env. */
export type Settings = {
  /** the checkout */
  root: string;
  /** what is built or downloaded once and found by content; may be deleted at any time */
  cache: string;
  /** the embedded cluster's programs, certificates, etcd, containers, volumes */
  state: string;
  /** generated files for people and for Helm: images.json, values-images.yaml */
  out: string;
  /** kubeconfig of the user's own cluster; undefined selects the embedded cluster */
  externalKubeconfig: string | undefined;
  /** registry from which the user's own cluster pulls, such as `registry.example.org/rune` */
  imageRegistry: string | undefined;
  /** what trainer and engine are built for: CUDA, or (everywhere else, and in tests) CPUs */
  imageVariant: "cpu" | "cuda";
};

export function settingsFrom(env: Record<string, string | undefined>): Settings {
  const root = join(dirname(fileURLToPath(import.meta.url)), "..");
  const state = env.RUNE_CLUSTER_STATE || "/var/lib/rune-cluster";
  const own = env.KUBECONFIG && env.RUNE_CLUSTER !== "embedded" && env.KUBECONFIG !== join(state, "kubeconfig");
  return {
    root,
    cache: env.RUNE_CACHE || join(homedir(), ".cache", "rune"),
    state,
    out: join(root, "out"),
    externalKubeconfig: own ? env.KUBECONFIG : undefined,
    imageRegistry: env.RUNE_IMAGE_REGISTRY || undefined,
    imageVariant: env.RUNE_IMAGE_VARIANT === "cuda" ? "cuda" : "cpu",
  };
}

export const settings = settingsFrom(process.env);
