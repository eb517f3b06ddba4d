import { access, copyFile, mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import { buildah } from "./buildah.ts";
import { cached } from "./cache.ts";
import { keyOf, listFiles, treeKey } from "./content-key.ts";
import { progress } from "./progress.ts";
import { settings } from "./settings.ts";
import { attempt, run } from "./shell.ts";

const kubernetesVersion = "v1.34.4";

/** A program compiled from Go modules: the path of its files, and the key of all its inputs. */
export type Program = { directory: string; key: string };

/** etcd, Kubernetes, kubectl, CoreDNS, netpol and localpv in one binary, pause, and the images of both. */
export async function kube(): Promise<Program> {
  const source = join(settings.root, "cluster/kube");
  const flags = ["-trimpath", "-ldflags", `-s -w${kubernetesVersionFlags()}`];
  const key = await programKey(source, flags);
  const directory = await cached("programs", `kube-${key}`, (out) =>
    progress.step("compiling Kubernetes (7 minutes the first time, seconds with Go's caches)", async (detail) => {
      await goBuild(source, [...flags, "-o", join(out, "kube"), "."], { CGO_ENABLED: "0" }, detail);
      await goBuild(source, ["-trimpath", "-ldflags", "-s -w", "-o", join(out, "pause"), "./pause"], { CGO_ENABLED: "0" }, detail);
      detail("packing its images");
      for (const name of ["pause", "kube"]) await packImage(join(out, name), `rune.local/${name}:${key}`, join(out, `${name}.image.tar`));
    }),
  );
  return { directory, key };
}

/** containerd 2 with its runc shim, ctr, and runc: newer than Debian 12's. */
export async function containerd(): Promise<Program> {
  const source = join(settings.root, "cluster/containerd");
  const packageName = "github.com/containerd/containerd/v2";
  const key = await programKey(source, ["no_btrfs,no_zfs,no_devmapper,no_aufs"]);
  const directory = await cached("programs", `containerd-${key}`, (out) =>
    progress.step("compiling containerd and runc (90 seconds the first time)", async (detail) => {
      const version = await goModuleVersion(source, packageName);
      for (const name of ["containerd", "containerd-shim-runc-v2", "ctr"]) {
        const flags = ["-trimpath", "-tags", "no_btrfs,no_zfs,no_devmapper,no_aufs"];
        flags.push("-ldflags", `-s -w -X ${packageName}/version.Version=${version}`);
        await goBuild(source, [...flags, "-o", join(out, name), `${packageName}/cmd/${name}`], { CGO_ENABLED: "0" }, detail);
      }
      const runc = "github.com/opencontainers/runc";
      const flags = ["-trimpath", "-tags", "seccomp", "-ldflags", `-s -w -X main.version=${await goModuleVersion(source, runc)}`];
      await goBuild(source, [...flags, "-o", join(out, "runc"), runc], { CGO_ENABLED: "1" }, detail);
    }),
  );
  return { directory, key };
}

/** gVisor: runsc and its shim. Only for clusters that were asked to have it. */
export async function gvisor(): Promise<Program> {
  const source = join(settings.root, "cluster/gvisor");
  const key = await programKey(source, ["-s -w"]);
  const directory = await cached("programs", `gvisor-${key}`, (out) =>
    progress.step("compiling gVisor (5 minutes the first time)", async (detail) => {
      const runsc = "gvisor.dev/gvisor/runsc";
      const version = await goModuleVersion(source, "gvisor.dev/gvisor");
      const flags = ["-trimpath", "-ldflags", `-s -w -X ${runsc}/version.version=${version}`];
      await goBuild(source, [...flags, "-o", join(out, "runsc"), runsc], { CGO_ENABLED: "0" }, detail);
      await goBuild(source, [...flags, "-o", join(out, "containerd-shim-runsc-v1"), "."], { CGO_ENABLED: "0" }, detail);
    }),
  );
  return { directory, key };
}

/**
 * A command of a published Go module, such as `github.com/nats-io/nats-server/v2@v2.12.1`, with these build tags;
 * returns the path of the binary.
 */
export async function goCommand(path: string, version: string, tags: readonly string[] = []): Promise<string> {
  const name =
    path
      .split("/")
      .filter((part) => !/^v\d+$/.test(part))
      .at(-1) ?? path;
  const tagged = tags.length > 0 ? ["-tags", tags.join()] : [];
  const key = keyOf({ path, version, go: await goVersion(), ...(tagged.length > 0 && { flags: tagged.join(" ") }) }).slice(0, 16);
  const directory = await cached("programs", `${name}-${key}`, (out) =>
    progress.step(`compiling ${name} ${version}`, async (detail) => {
      const env = { CGO_ENABLED: "0", GOBIN: out };
      await goRun(
        settings.root,
        ["install", "-v", "-p", "2", "-trimpath", ...tagged, "-ldflags", "-s -w", `${path}@${version}`],
        env,
        detail,
      );
    }),
  );
  return join(directory, name);
}

/**
 * The commands that the Go module in `source` names as its tools, at the versions that its go.mod and go.sum pin;
 * returns the directory of the binaries.
 */
export async function goTools(source: string): Promise<string> {
  const flags = ["-trimpath", "-ldflags", "-s -w"];
  const name = basename(source);
  return cached("programs", `${name}-${await programKey(source, flags)}`, (out) =>
    progress.step(`compiling the tools of ${relative(settings.root, source)}`, async (detail) => {
      await goBuild(source, [...flags, "-o", `${out}/`, "tool"], { CGO_ENABLED: "0" }, detail);
    }),
  );
}

/** The files of a published Go module, in Go's own cache; returns their directory. */
export async function goModule(path: string, version: string): Promise<string> {
  const found = JSON.parse(await run("go", ["mod", "download", "-json", `${path}@${version}`], { cwd: settings.root }));
  return found.Dir;
}

async function programKey(source: string, flags: string[]): Promise<string> {
  const files = await listFiles(source, ["*_test.go", "testdata", "*.ts"]);
  return keyOf({ files: await treeKey(source, files), flags: flags.join(" "), go: await goVersion() }).slice(0, 16);
}

/** Needed before anything else: Go itself, recent enough to fetch the toolchain that the modules require. */
export async function goVersion(): Promise<string> {
  const version = await attempt("go", ["env", "GOVERSION"]).catch(() => undefined);
  if (version?.code !== 0)
    throw new Error(
      "Go is needed to build the embedded cluster and is not in PATH: install Go 1.26 or newer (https://go.dev/dl) and run this again",
    );
  return version.stdout.trim();
}

/** The version of a module that the Go module in `source` requires. */
export async function goModuleVersion(source: string, module: string): Promise<string> {
  return (await run("go", ["list", "-m", "-f", "{{.Version}}", module], { cwd: source })).trim();
}

function goBuild(source: string, args: string[], env: Record<string, string>, detail: (text: string) => void): Promise<string> {
  return goRun(source, ["build", "-v", "-p", "2", ...args], env, detail);
}

function goRun(cwd: string, args: string[], env: Record<string, string>, detail: (text: string) => void): Promise<string> {
  let compiled = 0;
  return run("go", args, {
    cwd,
    env,
    onLine: (line) => detail(line.startsWith("go: downloading") ? line.slice(4) : `${++compiled} packages compiled`),
  });
}

function kubernetesVersionFlags(): string {
  const [, major, minor] = /^v(\d+)\.(\d+)/.exec(kubernetesVersion) ?? [];
  const values = {
    gitVersion: kubernetesVersion,
    gitMajor: major,
    gitMinor: minor,
    gitTreeState: "clean",
    buildDate: "2026-02-10T00:00:00Z",
  };
  return ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"]
    .flatMap((where) => Object.entries(values).map(([name, value]) => ` -X ${where}.${name}=${value}`))
    .join("");
}

/** An image that holds one static binary and nothing else. */
async function packImage(binary: string, reference: string, archive: string): Promise<void> {
  const name = binary.split("/").at(-1) ?? "program";
  const container = (await buildah(["from", "scratch"])).trim();
  try {
    await buildah(["copy", container, binary, `/${name}`]);
    await buildah(["config", "--entrypoint", JSON.stringify([`/${name}`]), container]);
    await buildah(["commit", "-q", "--disable-compression=true", container, `oci-archive:${archive}:${reference}`]);
  } finally {
    await buildah(["rm", container]);
  }
}

/**
 * Puts the programs where the running cluster keeps them: complete files, replaced by rename, with their key beside
 * them.
 */
export async function installPrograms(bin: string, programs: Record<string, { program: Program; files: string[] }>): Promise<void> {
  await mkdir(bin, { recursive: true });
  for (const [name, { program, files }] of Object.entries(programs)) {
    const id = join(bin, `${name}.id`);
    if (
      await isInstalled(
        id,
        program.key,
        files.map((file) => join(bin, file)),
      )
    )
      continue;
    for (const file of files) await replaceFile(join(program.directory, file), join(bin, file));
    await writeFile(id, program.key);
  }
}

async function isInstalled(id: string, key: string, files: string[]): Promise<boolean> {
  const found = await readFile(id, "utf8").catch(() => "");
  const present = await Promise.all(
    files.map((file) =>
      access(file).then(
        () => true,
        () => false,
      ),
    ),
  );
  return found === key && present.every(Boolean);
}

async function replaceFile(from: string, to: string): Promise<void> {
  await copyFile(from, `${to}.new`);
  await rename(`${to}.new`, to);
}
