import { join } from "node:path";
import { settings } from "@rune/cluster/settings";
import { run } from "@rune/cluster/shell";
import { mediaType } from "@rune/crds/contracts/artifact";
import type { ArtifactReference } from "@rune/crds/fields/artifact-reference";
import type { BaseModel } from "@rune/crds/fields/base-model";
import { storeFile } from "../10-minilang/world.ts";
import type { Options } from "./options.ts";

const script = join(settings.root, "examples/10-minilang/world/pairs.py");

/** The initial artifacts of evolution, in the registry. */
export interface World {
  readonly base: BaseModel;
  /** A corpus of one session each. */
  readonly corpora: readonly ArtifactReference[];
  readonly taskSet: ArtifactReference;
}

/** Creates the sessions and the tasks, and stores them; equal options give equal digests. */
export async function storeWorld(options: Options): Promise<Omit<World, "base">> {
  const directory = join(settings.out, "evolution/world");
  await run("python3", ["-B", script, "--out", directory, "--sessions", String(options.adapters)]);
  const corpora: ArtifactReference[] = [];
  for (let number = 1; number <= options.adapters; number += 1) {
    const path = join(directory, `pair-${String(number).padStart(2, "0")}.jsonl`);
    corpora.push(await storeFile(options, "corpora", path, mediaType.corpus, "corpus.jsonl"));
  }
  return { corpora, taskSet: await storeFile(options, "tasks", join(directory, "tasks.json"), mediaType.taskSet, "tasks.json") };
}
