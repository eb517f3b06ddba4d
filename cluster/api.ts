import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { type BuiltImage, build } from "./build.ts";
import { embedded } from "./embedded.ts";
import { pingCluster } from "./external.ts";
import { bases, images } from "./images.ts";
import { load } from "./load.ts";
import { withLock } from "./lock.ts";
import { ensurePackages, packagesToBuildImages } from "./packages.ts";
import { progress } from "./progress.ts";
import { settings } from "./settings.ts";
import { type RunOptions, run } from "./shell.ts";
import { helmPath, kubectlCommand } from "./tools.ts";

export type { BuiltImage } from "./build.ts";
export type Cluster = { kubeconfig: string; embedded: boolean };

/** The cluster used by everything here: the user's own when KUBECONFIG is set, else the embedded one. */
export function cluster(): Cluster {
  const own = settings.externalKubeconfig;
  return own ? { kubeconfig: own, embedded: false } : { kubeconfig: embedded.kubeconfig, embedded: true };
}

/** Starts the embedded cluster if it doesn't run, or makes sure that the user's own is reachable. */
export async function ensureUp(): Promise<Cluster> {
  const own = settings.externalKubeconfig;
  if (own) progress.say(`using the cluster of KUBECONFIG=${own} (Kubernetes ${await pingCluster(own)}); nothing is started`);
  else await embedded.up();
  return cluster();
}

/** kubectl on that cluster; returns its stdout, throws CommandFailed with its output if it fails. */
export async function kubectl(args: string[], options: RunOptions = {}): Promise<string> {
  const [command, ...first] = await kubectlCommand();
  return run(command, [...first, "--kubeconfig", cluster().kubeconfig, ...args], options);
}

/** Helm on that cluster; returns its stdout. */
export async function helm(args: string[], options: RunOptions = {}): Promise<string> {
  return run(await helmPath(), ["--kubeconfig", cluster().kubeconfig, ...args], options);
}

/** Names of all images that run in the cluster. */
export const imageNames: readonly string[] = Object.keys(images).filter((name) => !bases.includes(name));

/** Builds images (all by default) whose content has changed. */
export async function buildImages(names: readonly string[] = imageNames): Promise<Record<string, BuiltImage>> {
  await ensurePackages(packagesToBuildImages);
  const built: Record<string, BuiltImage> = {};
  for (const name of names) built[name] = await build(name);
  return built;
}

/** Loads built images onto the cluster's nodes and writes their names there into files, for people and for Helm. */
export async function loadImages(built: Record<string, BuiltImage>): Promise<Record<string, BuiltImage>> {
  const loaded: Record<string, BuiltImage> = {};
  for (const [name, image] of Object.entries(built)) loaded[name] = await load(image);
  await withLock(join(settings.cache, "images.lock"), () => record(loaded));
  return loaded;
}

async function record(loaded: Record<string, BuiltImage>): Promise<void> {
  const file = join(settings.out, "images.json");
  const before: Record<string, BuiltImage> = await readFile(file, "utf8").then(JSON.parse, () => ({}));
  const all: Record<string, BuiltImage> = Object.fromEntries(Object.entries({ ...before, ...loaded }).sort());
  await mkdir(settings.out, { recursive: true });
  await replace(file, `${JSON.stringify(all, null, 2)}\n`);
  await replace(
    join(settings.out, "values-images.yaml"),
    `# Written by \`npm run images\`: what was built here, for \`helm --values\`.\n${stringify(helmValues(all))}`,
  );
}

/** The chart's `images`: its names are camelCase, and it doesn't include images that are only bases of others. */
export function helmValues(all: Record<string, BuiltImage>): { images: Record<string, BuiltImage> } {
  const running = Object.entries(all).filter(([name]) => imageNames.includes(name));
  return {
    images: Object.fromEntries(running.map(([name, image]) => [camelCase(name), image])),
  };
}

const camelCase = (name: string) => name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());

async function replace(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}
