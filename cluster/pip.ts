import { ensurePackages } from "./packages.ts";
import { attempt, run } from "./shell.ts";

/** Wheels of Python's package index, each pinned by its hash in the file of requirements that the arguments name; nothing is built here. */
export async function pip(verb: "download" | "install", args: readonly string[]): Promise<void> {
  const there = await attempt("python3", ["-m", "pip", "--version"]);
  if (there.code !== 0) await ensurePackages({ "/usr/bin/pip3": "python3-pip" });
  const options = ["--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes", "--disable-pip-version-check"];
  await run("python3", ["-m", "pip", verb, ...options, ...args]);
}
