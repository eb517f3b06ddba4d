import { copyFile, link } from "node:fs/promises";
import { join } from "node:path";
import { bundle } from "./bundle.ts";
import { bundleTaskSets } from "./human-eval.ts";
import { goCommand } from "./programs.ts";
import { settings } from "./settings.ts";

/** How one image is made. Paths are relative to the checkout. */
export type ImageSpec = {
  /** directory that is the build context and holds the Containerfile */
  directory: string;
  /** the image of this list that replaces `ARG BASE`; without it the Containerfile's own (public) base is used */
  base?: string;
  /** the part of the directory that goes into the context; everything by default. `.containerignore` excludes more. */
  only?: readonly string[];
  /** runs on the host before the directory is read */
  prepare?: () => Promise<unknown>;
  /** puts files from elsewhere into the copy of the context */
  stage?: (context: string) => Promise<unknown>;
  args?: Record<string, string>;
};

/** Made from Debian's archive by debootstrap; the base of every other image here. */
export const debianBase = "debian";

/** A large read-only file: linked where that is possible. */
const place = (from: string, to: string) => link(from, to).catch(() => copyFile(from, to));

const typescript = (directory: string): ImageSpec => ({
  directory,
  base: "node",
  only: ["Containerfile", "dist/**"],
  prepare: () => bundle(directory),
});

const goService = (name: string, path: string, version: string, command = name): ImageSpec => ({
  directory: `cluster/images/${name}`,
  base: debianBase,
  stage: async (context) => place(await goCommand(path, version), join(context, command)),
});

const gpu = (directory: string): ImageSpec =>
  settings.imageVariant === "cuda" ? { directory, args: { VARIANT: "cuda" } } : { directory, base: "torch-cpu", args: { VARIANT: "cpu" } };

export const images: Record<string, ImageSpec> = {
  node: {
    directory: "cluster/images/node",
    base: debianBase,
    stage: (context) => place(join(settings.root, "node_modules/node/bin/node"), join(context, "node")),
  },
  python: { directory: "cluster/images/python", base: debianBase },

  operator: { ...typescript("operator"), stage: bundleTaskSets },
  agent: typescript("workloads/agent"),
  evaluator: typescript("workloads/evaluator"),
  "adapter-loader": typescript("workloads/adapter-loader"),

  sandbox: { directory: "workloads/sandbox", base: "python" },
  "torch-cpu": { directory: "gpu-images/torch-cpu", base: "python" },
  trainer: gpu("gpu-images/trainer"),
  vllm: gpu("gpu-images/vllm"),

  registry: goService("registry", "github.com/distribution/distribution/v3/cmd/registry", "v3.1.2"),
  nats: goService("nats", "github.com/nats-io/nats-server/v2", "v2.15.2", "nats-server"),
  mlflow: { directory: "cluster/images/mlflow", base: "python" },
};

/** Images that are only bases of others; `images` without names doesn't load them into the cluster. */
export const bases: readonly string[] = ["node", "python", "torch-cpu"];
