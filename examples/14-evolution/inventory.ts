import { kubectl } from "@rune/cluster/api";
import type { Installation } from "../shared/installation.ts";

/**
 * Everything that a registry holds, by its path below the storage's root: SHA-256 in hexadecimal digits of each blob
 * (manifests are blobs too), of each link to one from a repository and of each tag. Uploads under way aren't in it.
 */
export type Inventory = ReadonlyMap<string, string>;

const root = "/var/lib/registry";

/** The command that lists a storage of CNCF Distribution, which `inventoryIn` reads. */
export const listing = (storage: string): string[] => [
  ...["find", `${storage}/docker/registry/v2`, "-name", "_uploads", "-prune"],
  ...["-o", "-type", "f", "-exec", "sha256sum", "{}", "+"],
];

/** @throws Error for a line that isn't sha256sum's. */
export function inventoryIn(text: string): Inventory {
  const found = new Map<string, string>();
  for (const line of text.split("\n").filter((each) => each !== "")) {
    const [, hash, path] = /^([0-9a-f]{64}) [ *]\S*\/docker\/registry\/v2\/(.+)$/.exec(line) ?? [];
    if (!hash || !path) throw new Error(`a file of the registry can't be read: ${line}`);
    found.set(path, hash);
  }
  return found;
}

/** What the installation's own registry holds: read on its volume, by a program in its pod. */
export async function inventory({ systemNamespace }: Installation): Promise<Inventory> {
  return inventoryIn(await kubectl(["exec", "-n", systemNamespace, "deployment/rune-registry", "--", ...listing(root)]));
}

/** A registry before and after, for a person and for `checksOf`. */
export interface Comparison {
  readonly before: Counts;
  readonly after: Counts;
  /** Paths that were there before and now hold something else, or aren't there. */
  readonly changed: string[];
  /** Blobs that aren't what their digest says, and were not so before. */
  readonly damaged: string[];
}

export interface Counts {
  readonly blobs: number;
  readonly manifests: number;
  readonly tags: number;
}

export const comparisonOf = (before: Inventory, after: Inventory): Comparison => ({
  before: countsOf(before),
  after: countsOf(after),
  changed: [...before].filter(([path, hash]) => after.get(path) !== hash).map(([path]) => path),
  damaged: [...after].filter(([path, hash]) => isDamaged(path, hash) && before.get(path) !== hash).map(([path]) => path),
});

const blob = /^blobs\/sha256\/[0-9a-f]{2}\/([0-9a-f]{64})\/data$/;
const isDamaged = (path: string, hash: string) => (blob.exec(path)?.[1] ?? hash) !== hash;

function countsOf(inventory: Inventory): Counts {
  const paths = [...inventory.keys()];
  return {
    blobs: paths.filter((path) => blob.test(path)).length,
    manifests: paths.filter((path) => /\/_manifests\/revisions\/.*\/link$/.test(path)).length,
    tags: paths.filter((path) => /\/_manifests\/tags\/[^/]+\/current\/link$/.test(path)).length,
  };
}
