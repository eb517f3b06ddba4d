import { createHash } from "node:crypto";
import { cp, mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type BuiltImage, buildImages } from "@rune/cluster/api";
import { progress } from "@rune/cluster/progress";
import { settings } from "@rune/cluster/settings";
import { run } from "@rune/cluster/shell";
import { mediaType } from "@rune/crds/contracts/artifact";
import type { ArtifactReference } from "@rune/crds/fields/artifact-reference";
import type { BaseModel } from "@rune/crds/fields/base-model";
import { exists, inTrainer, storeModel } from "../shared/base-model.ts";
import { adminRegistry, type Installation } from "../shared/installation.ts";
import type { Options } from "./options.ts";

const source = join(settings.root, "examples/10-minilang/world");
const modelName = "minilang-base";
export const library = "minilang-library";

/** The laboratory's artifacts in the registry. */
export interface World {
  readonly base: BaseModel;
  readonly corpora: Record<Corpus, ArtifactReference>;
  readonly taskSets: Record<TaskSet, ArtifactReference>;
}
export const corpora = ["training", "shuffled", "held-out", "first", "second", "project"] as const;
export type Corpus = (typeof corpora)[number];
export const taskSets = ["tasks", "merge", "project"] as const;
export type TaskSet = (typeof taskSets)[number];

/** The library that programs of the language import, as it is beside them in the sandbox. */
export const libraryFile = () => readFile(join(source, "pipe.py"), "utf8");

/** Creates the projects, their sessions and tasks, and stores them; equal options give equal digests. */
export async function storeWorld(options: Options): Promise<Omit<World, "base">> {
  const directory = join(settings.out, "minilang/world");
  await run("python3", ["-B", join(source, "make.py"), "--out", directory, ...sizes(options)]);
  const corpus = (name: Corpus) => storeFile(options, "corpora", join(directory, `${name}.jsonl`), mediaType.corpus, "corpus.jsonl");
  const taskSet = (name: TaskSet) => storeFile(options, "tasks", join(directory, `${name}.json`), mediaType.taskSet, "tasks.json");
  return { corpora: await storedEach(corpora, corpus), taskSets: await storedEach(taskSets, taskSet) };
}

async function storedEach<Name extends string>(names: readonly Name[], store: (name: Name) => Promise<ArtifactReference>) {
  const stored: [Name, ArtifactReference][] = [];
  for (const name of names) stored.push([name, await store(name)]);
  return Object.fromEntries(stored) as Record<Name, ArtifactReference>;
}

export function sizes({ trainingProjects, heldOutProjects, tasksPerProject }: Options): string[] {
  const numbers = { "--training-projects": trainingProjects, "--held-out-projects": heldOutProjects, "--tasks": tasksPerProject };
  return Object.entries(numbers).flatMap(([name, value]) => [name, String(value)]);
}

/** Stores a file as an artifact of the namespace. */
export async function storeFile(
  options: Installation & { readonly namespace: string },
  what: string,
  path: string,
  type: string,
  title: string,
): Promise<ArtifactReference> {
  const repository = `rune/${options.namespace}/${what}`;
  using access = await adminRegistry(options, repository);
  const files = [{ title, mediaType: type, bytes: await readFile(path) }];
  const { digest } = await access.registry.push({ repository, artifactType: type, config: {}, configMediaType: mediaType.empty, files });
  return { repository, digest };
}

/** The base in the registry. It is trained if the cache doesn't have it, which takes minutes. */
export async function storeBase(options: Installation, trainer: BuiltImage | undefined): Promise<BaseModel> {
  if (!trainer) throw new Error("the trainer image was not built");
  const directory = await trainedBase(trainer);
  using access = await adminRegistry(options, `rune/models/${modelName}`);
  const { repository, digest } = await storeModel(access.registry, modelName, directory);
  return { oci: { repository, digest } };
}

/** Writes the base's files into a directory, as people have them who bring a model of their own. Needs no cluster. */
export async function writeBase(directory: string): Promise<void> {
  const { trainer } = await buildImages(["trainer"]);
  if (!trainer) throw new Error("the trainer image was not built");
  await cp(await trainedBase(trainer), directory, { recursive: true });
  console.log(`the laboratory's base model is in ${directory}`);
}

async function trainedBase(trainer: BuiltImage): Promise<string> {
  const models = join(settings.cache, "models");
  const directory = join(models, `${modelName}-${await baseKey()}`);
  if (await exists(join(directory, "config.json"))) return directory;
  await mkdir(models, { recursive: true });
  const scripts = join(settings.out, "minilang/scripts");
  await cp(source, scripts, { recursive: true });
  await progress.step("training the laboratory's base", (detail) =>
    inTrainer(
      trainer,
      [`${models}:${models}`, `${scripts}:/world:ro`],
      ["python3", "/world/train_base.py", "--out", directory],
      (line) => line.startsWith("step ") && detail(line),
    ),
  );
  return directory;
}

/** The inputs of the base: its own sources, and the trainer's rendering of a session. */
async function baseKey(): Promise<string> {
  const own = (await run("python3", ["-B", join(source, "train_base.py"), "--key"])).trim();
  const telling = await readFile(join(settings.root, "gpu-images/trainer/src/rune_trainer/context.py"));
  return createHash("sha256").update(own).update(telling).digest("hex").slice(0, 12);
}
