import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Digests, digestNames, type WithDigests, writeDigests } from "./kustomize.ts";

/** A copy of the plan's manifests with different digests, for tests: no data.env of the checkout is changed. */
export interface Copy extends AsyncDisposable {
  /** The folder of the plan. */
  readonly root: string;
  /** Digest of each name of an overlay; no two are the same. */
  digests<Name extends WithDigests>(overlay: Name): Digests<Name>;
  /** A folder in it with this kustomization. */
  kustomization(name: string, text: string): Promise<string>;
}

const examples = join(import.meta.dirname, "..");
const folders = ["plan/base", "plan/overlays", "plan/flux", "plan/argocd", "10-minilang/world"];

export async function copyOfPlan(): Promise<Copy> {
  const directory = await mkdtemp(join(tmpdir(), "plan-"));
  const root = join(directory, "plan");
  for (const folder of folders) await cp(join(examples, folder), join(directory, folder), { recursive: true });
  for (const overlay of ["minilang", "coder"] as const) await writeDigests(overlay, digestsOf(overlay), root);
  return {
    root,
    digests: digestsOf,
    kustomization: async (name, text) => {
      const folder = join(root, name);
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, "kustomization.yaml"), text);
      return folder;
    },
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

function digestsOf<Name extends WithDigests>(overlay: Name): Digests<Name> {
  const entries = digestNames[overlay].map((name, index) => [name, `sha256:${String(index + 1).padStart(64, "0")}`]);
  return Object.fromEntries(entries) as Digests<Name>;
}
