import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { buildah, inStore } from "./buildah.ts";
import { keyOf, listFiles, sha256, treeKey } from "./content-key.ts";
import { debianBase, type ImageSpec, images } from "./images.ts";
import { progress } from "./progress.ts";
import { settings } from "./settings.ts";
import { run } from "./shell.ts";

/** An image in buildah's store. The tag is the key of its inputs; the digest is its OCI manifest's. */
export type BuiltImage = { repository: string; tag: string; digest: string };

const neverInContext = [
  "node_modules",
  "__pycache__",
  "*.pyc",
  ".venv",
  ".pytest_cache",
  "*.egg-info",
  ".git",
  "*.test.ts",
  "tsconfig.json",
];
// Increase when this file builds differently from the same content.
const recipe = "1";
const debianRecipe = "bookworm minbase ca-certificates 1";

/** Builds an image and its bases, unless the store has them with the same content. One process builds at a time. */
export function build(name: string): Promise<BuiltImage> {
  if (!images[name] && name !== debianBase)
    throw new Error(`there is no image "${name}"; there are ${[debianBase, ...Object.keys(images)].join(", ")}`);
  return inStore(() => buildAlone(name));
}

function buildAlone(name: string): Promise<BuiltImage> {
  const spec = images[name];
  return spec ? buildFrom(name, spec) : buildDebian();
}

async function buildFrom(name: string, spec: ImageSpec): Promise<BuiltImage> {
  const directory = join(settings.root, spec.directory);
  if (!existsSync(join(directory, "Containerfile")))
    throw new Error(`image ${name} can't be built: ${spec.directory}/Containerfile does not exist`);
  await spec.prepare?.();
  const args = { ...spec.args, ...(spec.base ? { BASE: referenceOf(await buildAlone(spec.base)) } : {}) };
  const context = await mkdtemp(join(tmpdir(), `rune-image-${name}-`));
  try {
    const files = await stageContext(directory, context, spec);
    const key = keyOf({ recipe, args: JSON.stringify(args), files: await treeKey(context, files) });
    return await stored(name, key, (reference) =>
      progress.step(`building image ${name}`, async (detail) => {
        const onLine = (line: string) => detail(line.trim().slice(0, 100));
        await buildah(["bud", ...(await buildFlags()), ...buildArgs(args), "-t", reference, context], { onLine });
      }),
    );
  } finally {
    await rm(context, { recursive: true, force: true });
  }
}

/** Copies the files for the image; returns their names. */
async function stageContext(directory: string, context: string, spec: ImageSpec): Promise<string[]> {
  const ignored = await readFile(join(directory, ".containerignore"), "utf8").catch(() => "");
  const leaveOut = [
    ...neverInContext,
    ...ignored
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line && !line.startsWith("#")),
  ];
  for (const file of selectFiles(await listFiles(directory, leaveOut), spec.only)) {
    await mkdir(dirname(join(context, file)), { recursive: true });
    await cp(join(directory, file), join(context, file), { verbatimSymlinks: true });
  }
  await spec.stage?.(context);
  return listFiles(context);
}

export function selectFiles(files: string[], only: readonly string[] | undefined): string[] {
  if (!only) return files;
  const inside = (file: string) =>
    only.some((pattern) => (pattern.endsWith("/**") ? file.startsWith(pattern.slice(0, -2)) : file === pattern));
  return files.filter(inside);
}

const buildArgs = (args: Record<string, string>) => Object.entries(args).flatMap(([name, value]) => ["--build-arg", `${name}=${value}`]);

/**
 * What a build may use of the host without any of it being in the image: its network, its certificate authorities
 * (a company's proxy may have a separate one), and caches of pip's and uv's earlier downloads.
 */
async function buildFlags(): Promise<string[]> {
  const home = join(settings.cache, "downloads");
  const authorities = "/etc/ssl/certs/ca-certificates.crt";
  const mounts: Record<string, string> = { [join(home, "pip")]: "/root/.cache/pip", [join(home, "uv")]: "/root/.cache/uv" };
  for (const place of Object.keys(mounts)) await mkdir(place, { recursive: true });
  const configuration = {
    "pip.conf": [
      "/etc/pip.conf",
      `[global]\ncert = ${authorities}\ndisable-pip-version-check = true\nroot-user-action = ignore\ntimeout = 180\n`,
    ],
    "uv.toml": ["/etc/uv/uv.toml", "native-tls = true\n"],
  } as const;
  for (const [file, [inside, text]] of Object.entries(configuration)) {
    await writeFile(join(home, file), text);
    mounts[join(home, file)] = `${inside}:ro`;
  }
  if (existsSync(authorities)) mounts[authorities] = `${authorities}:ro`;
  return ["--layers", "--network=host", ...Object.entries(mounts).flatMap(([from, to]) => ["-v", `${from}:${to}`])];
}

/** Debian's minimal system with certificate authorities, from its archive alone, without a registry. */
function buildDebian(): Promise<BuiltImage> {
  return stored(debianBase, sha256(debianRecipe), (reference) =>
    progress.step("building image debian (debootstrap, half a minute)", async (detail) => {
      const work = await mkdtemp(join(tmpdir(), "rune-debian-"));
      try {
        const root = join(work, "root");
        const onLine = (line: string) => detail(line.trim().slice(0, 100));
        await run("debootstrap", ["--variant=minbase", "--include=ca-certificates", "bookworm", root], { onLine });
        for (const leftover of ["var/cache/apt/archives", "var/lib/apt/lists", "dev"]) await emptyDirectory(join(root, leftover));
        const container = (await buildah(["from", "scratch"])).trim();
        await buildah(["copy", "-q", container, root, "/"]);
        await buildah([
          "config",
          "--cmd",
          "/bin/bash",
          "--env",
          "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
          container,
        ]);
        await buildah(["commit", "-q", "--rm", container, reference]);
      } finally {
        await rm(work, { recursive: true, force: true });
      }
    }),
  );
}

async function emptyDirectory(path: string): Promise<void> {
  for (const entry of await readdir(path)) await rm(join(path, entry), { recursive: true, force: true });
  if (path.endsWith("archives")) await mkdir(join(path, "partial"));
}

/** The image of that key: found in the store, or built there by `make`. */
async function stored(name: string, key: string, make: (reference: string) => Promise<void>): Promise<BuiltImage> {
  const repository = `rune.local/${name}`;
  const tag = key.slice(0, 12);
  const reference = `${repository}:${tag}`;
  const found = await digestInStore(reference);
  if (found) return { repository, tag, digest: found };
  // A killed build leaves its containers mounted.
  await buildah(["rm", "--all"]);
  await make(reference);
  const digest = await digestInStore(reference);
  if (!digest) throw new Error(`buildah reported that it built ${reference}, but its store doesn't have it; check \`buildah images\``);
  return { repository, tag, digest };
}

async function digestInStore(reference: string): Promise<string | undefined> {
  const found = await buildah(["inspect", "--type", "image", "--format", "{{.FromImageDigest}}", reference]).catch(() => undefined);
  return found?.trim() || undefined;
}

export const referenceOf = (image: BuiltImage) => `${image.repository}:${image.tag}`;
