import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { type BuiltImage, referenceOf } from "./build.ts";
import { buildah } from "./buildah.ts";
import { embedded } from "./embedded.ts";
import { archiveDirectory } from "./oci-archive.ts";
import { progress } from "./progress.ts";
import { settings } from "./settings.ts";
import { run } from "./shell.ts";
import { kubectlCommand } from "./tools.ts";

/** How an image reaches the nodes of the cluster in use. */
export type Destination = { kind: "embedded" } | { kind: "registry"; registry: string } | { kind: "kind" | "k3d"; cluster: string };

/**
 * Puts an image where the cluster's nodes find it; returns it as the nodes see it (a registry has its own repository
 * and digest).
 */
export async function load(image: BuiltImage): Promise<BuiltImage> {
  const to = await destination();
  switch (to.kind) {
    case "embedded":
      return loadIntoContainerd(image);
    case "registry":
      return pushTo(to.registry, image);
    case "kind":
      return withArchive(image, new Set(), async (archive) => {
        await run("kind", ["load", "image-archive", archive, "--name", to.cluster]);
        return byTagOnly(image);
      });
    case "k3d":
      return withArchive(image, new Set(), async (archive) => {
        await run("k3d", ["image", "import", archive, "--cluster", to.cluster]);
        return byTagOnly(image);
      });
    default:
      return to satisfies never;
  }
}

/** kind's and k3d's nodes find a loaded image by its tag only: a digest in a pod would make them query a registry. */
const byTagOnly = (image: BuiltImage): BuiltImage => ({ ...image, digest: "" });

async function destination(): Promise<Destination> {
  if (!settings.externalKubeconfig) return { kind: "embedded" };
  const [kubectl, ...args] = await kubectlCommand();
  const context = (await run(kubectl, [...args, "--kubeconfig", settings.externalKubeconfig, "config", "current-context"])).trim();
  return destinationOf(context, settings.imageRegistry);
}

export function destinationOf(context: string, registry: string | undefined): Destination {
  if (registry) return { kind: "registry", registry: registry.replace(/\/+$/, "") };
  const local = /^(kind|k3d)-(.+)$/.exec(context);
  if (local) return { kind: local[1] as "kind" | "k3d", cluster: local[2] as string };
  throw new Error(
    `the context "${context}" is neither kind's nor k3d's, so images can't be loaded into its nodes directly: set RUNE_IMAGE_REGISTRY to a registry that they pull from (such as registry.example.org/rune) and log in to it with \`buildah login\``,
  );
}

async function loadIntoContainerd(image: BuiltImage): Promise<BuiltImage> {
  // Pods may name it by digest as well as by tag.
  const names = [referenceOf(image), `${image.repository}@${image.digest}`];
  const present = digestsByName(await embedded.ctr(["images", "ls"]));
  if (names.every((name) => present.get(name) === image.digest)) return image;
  const blobs = new Set((await embedded.ctr(["content", "ls", "-q"])).split("\n"));
  return progress.step(`loading ${referenceOf(image)} into the cluster`, () =>
    withArchive(image, blobs, async (archive) => {
      await embedded.ctr(["images", "import", "--local", archive]);
      const taken = digestsByName(await embedded.ctr(["images", "ls"])).get(referenceOf(image));
      if (taken !== image.digest)
        throw new Error(`containerd imported ${referenceOf(image)} with digest ${taken ?? "unknown"}, not ${image.digest}`);
      await embedded.ctr(["images", "tag", "--force", ...names]);
      return image;
    }),
  );
}

/** Parses `ctr images ls`: a line per name, its digest in the third column. */
export function digestsByName(listing: string): Map<string, string> {
  const rows = listing.split("\n").map((line) => line.trim().split(/\s+/));
  return new Map(rows.filter((row) => row[2]?.startsWith("sha256:")).map((row) => [row[0] ?? "", row[2] ?? ""]));
}

async function pushTo(registry: string, image: BuiltImage): Promise<BuiltImage> {
  const repository = `${registry}/${image.repository.replace(/^rune\.local\//, "")}`;
  return progress.step(`pushing ${repository}:${image.tag}`, () =>
    withScratch(async (scratch) => {
      const digestFile = join(scratch, "digest");
      const plain = isLoopback(registry) ? ["--tls-verify=false"] : [];
      await buildah(["push", "-q", ...plain, "--digestfile", digestFile, referenceOf(image), `docker://${repository}:${image.tag}`]);
      return { repository, tag: image.tag, digest: (await readFile(digestFile, "utf8")).trim() };
    }),
  );
}

/** A registry on this machine speaks plain HTTP; every other one must use TLS. */
export function isLoopback(registry: string): boolean {
  return /^(localhost|127\.[0-9.]+|\[::1\])(:\d+)?(\/|$)/.test(registry);
}

/** Calls `use` with the image as an OCI archive whose manifest, and so its digest, are those of buildah's store. */
function withArchive<T>(image: BuiltImage, present: ReadonlySet<string>, use: (archive: string) => Promise<T>): Promise<T> {
  return withScratch(async (scratch) => {
    const archive = join(scratch, "image.tar");
    const layout = join(scratch, "layout");
    await buildah(["push", "-q", "--disable-compression", referenceOf(image), `dir:${layout}`]);
    await archiveDirectory(layout, referenceOf(image), archive, present);
    await rm(layout, { recursive: true });
    return use(archive);
  });
}

async function withScratch<T>(use: (directory: string) => Promise<T>): Promise<T> {
  await mkdir(settings.cache, { recursive: true });
  const directory = await mkdtemp(join(settings.cache, "transfer-"));
  try {
    return await use(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
