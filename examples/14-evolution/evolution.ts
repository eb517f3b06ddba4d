import { join } from "node:path";
import { kubectl } from "@rune/cluster/api";
import type { Adapter } from "@rune/crds/kinds/adapter";
import { label } from "@rune/crds/words/labels";
import { libraryManifest } from "../10-minilang/manifests.ts";
import { libraryFile, storeBase } from "../10-minilang/world.ts";
import { script, writeFigures } from "../shared/command-line.ts";
import { install } from "../shared/installation.ts";
import { type Manifest, namespaceManifest } from "../shared/manifests.ts";
import { applyKept, emptyNamespace, get, isOver, isTrue, list, type Seen, serverReady, until, words } from "../shared/objects.ts";
import { Timings } from "../shared/timings.ts";
import { disrupted } from "./disruption.ts";
import { type GenerationStatus, neverHit } from "./effects.ts";
import { comparisonOf, inventory } from "./inventory.ts";
import {
  copied,
  copyManifests,
  generationManifests,
  generations,
  ownNamespace,
  server,
  serverManifest,
  trainingManifests,
} from "./manifests.ts";
import { type Options, optionsFrom, usage } from "./options.ts";
import { checksOf, generationOf, type Result, story } from "./report.ts";
import { storeWorld, type World } from "./world.ts";

const timings = new Timings();
const apply = (file: string, ...manifests: Manifest[]) => applyKept(join("evolution", file), ...manifests);

async function main(options: Options): Promise<Result> {
  const { namespace } = options;
  const images = await timings.run("cluster and images", "cluster, images and chart", () => install(options));
  const base = await timings.run("base", "the laboratory's base model", () => storeBase(options, images.trainer));
  const world: World = { base, ...(await timings.run("world", "sessions and tasks", () => storeWorld(options))) };
  await emptyNamespace(namespace, ownNamespace);
  await apply("00-namespace.yaml", namespaceManifest(namespace, ownNamespace));
  await apply("01-library.yaml", libraryManifest(namespace, await libraryFile()));
  await apply("02-model-server.yaml", serverManifest(options, base));
  const trainings = trainingManifests(options, world);
  await apply("03-training-runs.yaml", ...trainings);
  const adapters = await timings.run("training", `${trainings.length} adapters, each of one session`, (detail) =>
    adaptersOf(namespace, trainings.length, detail),
  );
  const source = adapters.find(({ metadata }) => metadata.labels?.[label.run] === copied);
  if (!source) throw new Error(`no Adapter has the label ${label.run}=${copied}`);
  await apply(
    "04-copies.yaml",
    ...copyManifests(options, (await get<unknown>("Adapter", namespace, source.metadata.name)) as unknown as Adapter),
  );
  await timings.run("model server", `ModelServer ${server}: vLLM with two pipeline stages`, (detail) =>
    serverReady(namespace, server, detail),
  );
  const before = await inventory(options);
  // Sequentially: two evaluations at once have no room on two cores.
  const [ofVerbs, ofCopies] = generationManifests(options, world);
  const { result, kills } = await disrupted(options, async () => {
    await apply("05-verbs.yaml", ofVerbs);
    const verbs = await chain(options, generations.verbs);
    await apply("06-copies.yaml", ofCopies);
    return { verbs, copies: await chain(options, generations.copies) };
  });
  const runs = await list<object>("TrainingRun", namespace);
  const all = await list<object>("EvolutionGeneration", namespace);
  const after = await inventory(options);
  const found = {
    verbs: result.verbs.map(generationOf),
    copies: result.copies.map(generationOf),
    runs: runs.filter(({ metadata }) => metadata.labels?.[label.generation]).map(({ metadata }) => metadata.name),
    generations: all.map(({ metadata }) => metadata.name),
    kills,
    registry: comparisonOf(before, after),
  };
  const checks: Record<string, boolean> = options.killAtEffects ? { "every component was killed": neverHit(kills).length === 0 } : {};
  return { ...found, checks: { ...checksOf(found), ...checks }, ...timings.figures };
}

/** Adapters of runs, once there are `count`. */
async function adaptersOf(namespace: string, count: number, detail: (text: string) => void): Promise<Seen<object>[]> {
  return await until(
    () => list<object>("Adapter", namespace),
    (adapters) => adapters.filter((adapter) => isTrue(adapter, "Ready")).length >= count,
    (adapters) => detail(`${adapters.filter((adapter) => isTrue(adapter, "Ready")).length} of ${count} are ready`),
  );
}

/** Every generation of a chain, once the last has ended. */
async function chain({ namespace }: Options, first: string): Promise<Seen<GenerationStatus>[]> {
  const all: Seen<GenerationStatus>[] = [];
  for (let name: string | undefined = first; name; name = all.at(-1)?.status?.next) {
    const current: string = name;
    all.push(await timings.run(current, `EvolutionGeneration ${current}`, (detail) => generationOver(namespace, current, detail)));
  }
  return all;
}

async function generationOver(namespace: string, name: string, detail: (text: string) => void): Promise<Seen<GenerationStatus>> {
  const ended = await until(
    () => get<GenerationStatus>("EvolutionGeneration", namespace, name),
    (seen) => isOver(seen) || isTrue(seen, "Stalled"),
    (seen) => detail(words(seen)),
  );
  if (!isTrue(ended, "Succeeded"))
    throw new Error(`EvolutionGeneration ${name} can't continue: ${words(ended)}\nSee: kubectl describe reg ${name} -n ${namespace}`);
  return ended;
}

await script("Evolution", usage, async (argv) => {
  const options = optionsFrom(argv);
  const result = await main(options);
  await writeFigures("evolution", result);
  console.log(story(result, options.namespace));
  console.log(await kubectl(["get", "evolutiongenerations", "-n", options.namespace]));
  if (!Object.values(result.checks).every(Boolean)) process.exitCode = 1;
});
