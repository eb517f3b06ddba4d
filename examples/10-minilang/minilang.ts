import { join } from "node:path";
import { kubectl } from "@rune/cluster/api";
import type { Adapter } from "@rune/crds/kinds/adapter";
import { label } from "@rune/crds/words/labels";
import { script, writeFigures } from "../shared/command-line.ts";
import { install } from "../shared/installation.ts";
import { type Manifest, namespaceManifest } from "../shared/manifests.ts";
import { applyKept, emptyNamespace, list, type Seen, serverReady, until, untilOver } from "../shared/objects.ts";
import { reportFile } from "../shared/report.ts";
import { Timings } from "../shared/timings.ts";
import {
  evaluations,
  generateManifests,
  halfManifests,
  hypernetworkManifests,
  libraryManifest,
  memoryManifest,
  mergeEvaluationManifest,
  mergeManifests,
  ownNamespace,
  runs,
  serverManifest,
  shuffledManifest,
} from "./manifests.ts";
import { type Options, optionsFrom, usage } from "./options.ts";
import { checksOf, contrastsIn, type EvaluationStatus, measuredOf, type Result, story, type TrainingStatus, trainedOf } from "./report.ts";
import { libraryFile, storeBase, storeWorld, type World, writeBase } from "./world.ts";

const timings = new Timings();
const apply = (file: string, ...manifests: Manifest[]) => applyKept(join("minilang", file), ...manifests);

async function main(options: Options): Promise<Result> {
  const { namespace } = options;
  const images = await timings.run("cluster and images", "cluster, images and chart", () => install(options));
  const base = await timings.run("base", "the laboratory's base model", () => storeBase(options, images.trainer));
  const world: World = { base, ...(await timings.run("world", "projects, sessions and tasks", () => storeWorld(options))) };
  await emptyNamespace(namespace, ownNamespace);
  await apply("00-namespace.yaml", namespaceManifest(namespace, ownNamespace));
  await apply("01-library.yaml", libraryManifest(namespace, await libraryFile()));
  await apply("02-model-server.yaml", serverManifest(options, base));
  await apply("03-hypernetworks.yaml", ...hypernetworkManifests(options, world));
  await apply("04-generate.yaml", ...generateManifests(options, world), ...halfManifests(options, world));

  const training = (name: string) => timings.run(name, `TrainingRun ${name}`, (detail) => trainingOver(namespace, name, detail));
  const hypernetwork = await training(runs.hypernetwork);
  await training(runs.generated);
  for (const name of [runs.first, runs.second]) await training(name);
  await apply("05-merges.yaml", ...mergeManifests(options, world, ...(await parentsOf(namespace))));
  for (const name of [runs.mean, runs.noise, runs.both, runs.bothMean]) await training(name);
  const [mean, noise] = [await adapterOf(namespace, runs.mean), await adapterOf(namespace, runs.noise)];
  await timings.run("model server", "ModelServer lab: vLLM with two pipeline stages", (detail) => serverReady(namespace, "lab", detail));

  const evaluated = (name: string) => timings.run(name, `Evaluation ${name}`, (detail) => evaluationOver(namespace, name, detail));
  await apply("06-memory.yaml", memoryManifest(options, world, mean, noise));
  const memory = await evaluated(evaluations.memory);
  await apply("07-both-halves.yaml", mergeEvaluationManifest(options, world, await mergeArms(namespace)));
  const merge = await evaluated(evaluations.merge);
  const shuffledHypernetwork = await training(runs.shuffledHypernetwork);
  await training(runs.generatedShuffled);
  await apply("08-shuffled.yaml", shuffledManifest(options, world, noise));
  const shuffled = await evaluated(evaluations.shuffled);

  const found = {
    quick: options.quick,
    memory: measuredOf(memory),
    contrasts: await contrastsOf(options, memory),
    shuffled: measuredOf(shuffled),
    merge: measuredOf(merge),
    hypernetwork: trainedOf(hypernetwork),
    shuffledHypernetwork: trainedOf(shuffledHypernetwork),
  };
  return { ...found, checks: checksOf(found, options), ...timings.figures };
}

const trainingOver = (namespace: string, name: string, detail: (text: string) => void) =>
  untilOver<TrainingStatus>("TrainingRun", namespace, name, detail);
const evaluationOver = (namespace: string, name: string, detail: (text: string) => void) =>
  untilOver<EvaluationStatus>("Evaluation", namespace, name, detail);

const adaptersOf = (namespace: string, run: string) => list<Adapter["status"] & object>("Adapter", namespace, { [label.run]: run });

/** Names of the generated adapters, and of the halves'. */
async function parentsOf(namespace: string): Promise<[string[], string[]]> {
  const generated = (await adaptersOf(namespace, runs.generated)).map(({ metadata }) => metadata.name).toSorted();
  return [generated, [await adapterOf(namespace, runs.first), await adapterOf(namespace, runs.second)]];
}

async function adapterOf(namespace: string, run: string): Promise<string> {
  const [adapter] = await until(
    () => adaptersOf(namespace, run),
    (found) => found.length > 0,
    () => {},
  );
  return adapter?.metadata.name ?? "";
}

/** Arms of the merge's evaluation, the merged adapter first. */
async function mergeArms(namespace: string): Promise<Record<string, string>> {
  return {
    merged: await adapterOf(namespace, runs.both),
    first: await adapterOf(namespace, runs.first),
    second: await adapterOf(namespace, runs.second),
    mean: await adapterOf(namespace, runs.bothMean),
  };
}

/** Generated less each control arm, from the evaluation's report. */
async function contrastsOf(options: Options, { status }: Seen<EvaluationStatus>): Promise<Result["contrasts"]> {
  return status?.report ? contrastsIn(JSON.parse(await reportFile(options, status.report, "report.json"))) : {};
}

await script("The laboratory", usage, async (argv) => {
  const options = optionsFrom(argv);
  if (options.baseOnly) return await writeBase(options.baseOnly);
  const result = await main(options);
  await writeFigures("minilang", result);
  console.log(story(result, options.namespace));
  console.log(await kubectl(["get", "modelservers,trainingruns,evaluations", "-n", options.namespace]));
  if (!Object.values(result.checks).every(Boolean)) process.exitCode = 1;
});
