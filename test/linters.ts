import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { cached } from "../cluster/cache.ts";
import { keyOf, treeKey } from "../cluster/content-key.ts";
import { pip } from "../cluster/pip.ts";
import { goVersion } from "../cluster/programs.ts";
import { progress } from "../cluster/progress.ts";
import { settings } from "../cluster/settings.ts";
import { run } from "../cluster/shell.ts";

let installed: Promise<string> | undefined;
const requirements = join(settings.root, "test/linters.txt");

/** The folder of ruff, pyrefly and shellcheck: binaries from wheels, so that npm and pip suffice to install them. */
export function linters(): Promise<string> {
  installed ??= install();
  return installed;
}

async function install(): Promise<string> {
  const key = keyOf({ requirements: await readFile(requirements, "utf8") }).slice(0, 16);
  const folder = await cached("linters", key, (out) =>
    progress.step("installing ruff, pyrefly and shellcheck", () => pip("install", ["--target", out, "--requirement", requirements])),
  );
  return join(folder, "bin");
}

export interface Sources {
  /** Top-level folders with TypeScript. */
  folders: string[];
  go: string[];
  /** Modules with Go code: cluster/containerd only names what is compiled. */
  goModules: string[];
  shell: string[];
}

/** What there is to check, by type and not by place: files that git tracks or would track. */
export async function sources(): Promise<Sources> {
  const listed = await run("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"], {
    cwd: settings.root,
  });
  const files = listed.split("\0").filter((file) => file !== "" && existsSync(join(settings.root, file)));
  const scripts: string[] = [];
  for (const file of files) if (await isShell(file)) scripts.push(file);
  const go = files.filter((file) => file.endsWith(".go"));
  const modules = files.filter((file) => file.endsWith("go.mod")).map(dirname);
  return {
    folders: [...new Set(files.flatMap((file) => /^([^/]+)\/.*\.ts$/.exec(file)?.[1] ?? []))],
    go,
    goModules: modules.filter((module) => go.some((file) => file.startsWith(`${module}/`))),
    shell: scripts,
  };
}

async function isShell(file: string): Promise<boolean> {
  if (file.endsWith(".sh")) return true;
  if (/\.\w+$/.test(file)) return false;
  // A link to a folder has no text.
  const text = await readFile(join(settings.root, file), "utf8").catch(() => "");
  return /^#!.*\b(ba|da|k)?sh\b/.test(text);
}

/**
 * `go vet` on a module. It compiles all that the module imports, which for Kubernetes takes minutes the first time:
 * passes are cached by content. The flags are those of the builds, so that both reuse each other's work in Go's cache.
 */
export async function vetted(module: string, go: readonly string[]): Promise<void> {
  const own = go.filter((file) => file.startsWith(`${module}/`));
  const files = [...own, join(module, "go.mod"), join(module, "go.sum")];
  const key = keyOf({ go: await goVersion(), files: await treeKey(settings.root, files) }).slice(0, 16);
  await cached("vetted", key, async () => {
    await progress.step(`go vet in ${module} (minutes the first time)`, () =>
      run("go", ["vet", "-trimpath", "./..."], { cwd: join(settings.root, module), env: { CGO_ENABLED: "0" } }),
    );
  });
}
