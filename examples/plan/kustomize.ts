import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { run } from "@rune/cluster/shell";
import { kubectlCommand } from "@rune/cluster/tools";
import { parseAllDocuments } from "yaml";
import type { Manifest } from "../shared/manifests.ts";
import type { Overlay } from "./options.ts";

/** The names of the registry's digests in an overlay's `replacements`. The base has none. */
export const digestNames = {
  minilang: ["base", "training", "held-out", "tasks", "project", "project-tasks"],
  coder: ["base"],
} as const;
export type WithDigests = keyof typeof digestNames;
export type Digests<Name extends WithDigests> = Readonly<Record<(typeof digestNames)[Name][number], string>>;

const plan = import.meta.dirname;

/** The folder of an overlay, or of the base. `root`: the folder of the plan. */
export const folderOf = (overlay: Overlay, root = plan) => (overlay === "base" ? join(root, "base") : join(root, "overlays", overlay));

/** Writes the digests where the overlay reads them. */
export async function writeDigests<Name extends WithDigests>(overlay: Name, digests: Digests<Name>, root = plan): Promise<void> {
  const lines = Object.entries(digests).map(([name, digest]) => `${name}=${digest}\n`);
  await writeFile(join(folderOf(overlay, root), "settings/data.env"), lines.join(""));
}

/** The manifests that `kubectl apply -k` would apply. */
export async function build(folder: string): Promise<Manifest[]> {
  const [command, ...first] = await kubectlCommand();
  const text = await run(command, [...first, "kustomize", folder]);
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
}
