import { spawn } from "node:child_process";
import { chmod, mkdir, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A page's shell commands: each section that has some, with its blocks, in the page's order. */
export function commandsOf(markdown: string): Map<string, string[]> {
  const sections = markdown.split(/^## /m).slice(1);
  const blocks = (section: string) => [...section.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block = ""]) => block);
  return new Map(
    sections.map((section) => [section.split("\n", 1)[0] ?? "", blocks(section)] as const).filter(([, each]) => each.length > 0),
  );
}

/** How a block ended; `failed` is the line of it that ended it, where one did. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly failed: string;
}

export interface ShellOptions {
  /** Where the shell begins. */
  readonly directory: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Programs that it finds first: name → what a shell runs for it, with the arguments at its end. */
  readonly programs: Readonly<Record<string, string>>;
}

/**
 * The shell of somebody who types a page's blocks one after the other. Variables, directory and what runs in the
 * background last from block to block, though each is a bash of its own, which ends at the first command that fails.
 */
export class PageShell implements AsyncDisposable {
  readonly #directory: string;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #groups: number[] = [];

  private constructor(directory: string, environment: Readonly<Record<string, string>>) {
    this.#directory = directory;
    this.#environment = environment;
  }

  static async open({ directory, environment, programs }: ShellOptions): Promise<PageShell> {
    const own = await mkdtemp(join(tmpdir(), "rune-page-"));
    await mkdir(join(own, "bin"));
    for (const [name, command] of Object.entries(programs)) {
      await writeFile(join(own, "bin", name), `#!/bin/sh\nexec ${command} "$@"\n`);
      await chmod(join(own, "bin", name), 0o755);
    }
    await writeFile(join(own, "directory"), directory);
    await writeFile(join(own, "variables"), "");
    return new PageShell(own, { ...environment, PATH: `${join(own, "bin")}:${environment.PATH ?? process.env.PATH}` });
  }

  /** Runs a block to its end. */
  async type(block: string): Promise<Ended> {
    const path = (name: string) => join(this.#directory, name);
    const script = around(block);
    await writeFile(path("script"), script);
    await writeFile(path("failed"), "");
    const [stdout, stderr] = [await open(path("stdout"), "w"), await open(path("stderr"), "w")];
    // What stays in the background keeps these files open; a pipe would never end.
    const child = spawn("bash", [path("script"), this.#directory], {
      stdio: ["ignore", stdout.fd, stderr.fd],
      env: { ...process.env, ...this.#environment },
      detached: true,
    });
    if (child.pid) this.#groups.push(child.pid);
    const code = await new Promise<number>((resolve, reject) => {
      child.once("error", reject).once("exit", (status) => resolve(status ?? 137));
    });
    await Promise.all([stdout.close(), stderr.close()]);
    const [out = "", err = "", line = ""] = await Promise.all(["stdout", "stderr", "failed"].map((name) => readFile(path(name), "utf8")));
    const failed = line === "" ? "" : (script.split("\n")[Number(line) - 1] ?? "");
    return { code, stdout: out, stderr: err, failed };
  }

  /** Ends what the blocks left in the background. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const group of this.#groups) {
      try {
        process.kill(-group, "SIGKILL");
      } catch {} // nothing of it is left
    }
    await rm(this.#directory, { recursive: true, force: true });
  }
}

/** Exports every variable, so that the next block's shell gets it too. */
const around = (block: string) => `own=$1
. "$own/variables"
cd "$(cat "$own/directory")"
trap 'code=$?; export -p > "$own/variables"; pwd > "$own/directory"; exit $code' EXIT
trap 'echo $LINENO > "$own/failed"' ERR
set -aEeuo pipefail
${block}`;
