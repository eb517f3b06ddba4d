import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { kubectl } from "@rune/cluster/api";
import { progress } from "@rune/cluster/progress";
import { settings } from "@rune/cluster/settings";
import { run } from "@rune/cluster/shell";
import { mediaType } from "@rune/crds/contracts/artifact";
import type { ArtifactReference } from "@rune/crds/fields/artifact-reference";
import type { Adapter } from "@rune/crds/kinds/adapter";
import { label } from "@rune/crds/words/labels";
import { preparedModel, quickstartModel, storeModel } from "../shared/base-model.ts";
import { adminRegistry, install } from "../shared/installation.ts";
import { type Manifest, namespaceManifest } from "../shared/manifests.ts";
import { applyKept, emptyNamespace, list, serverReady, until, untilOver } from "../shared/objects.ts";
import { reportFile } from "../shared/report.ts";
import { Timings } from "../shared/timings.ts";
import {
  controlManifests,
  evaluationManifest,
  evaluationName,
  generateManifest,
  hypernetworkManifest,
  libraryManifest,
  ownNamespace,
  runs,
  serverManifest,
  type World,
} from "./manifests.ts";
import { type Options, optionsFrom, usage } from "./options.ts";

const data = join(settings.out, "libraries/data");
const timings = new Timings();
const apply = (file: string, ...manifests: Manifest[]) => applyKept(join("libraries", file), ...manifests);

/** The libraries with their sessions, examples and tasks; equal options give equal bytes. */
async function makeData({ training, heldOut }: Options): Promise<void> {
  const make = join(settings.root, "examples/12-libraries/world/make.py");
  await run("python3", ["-B", make, "--out", data, "--training", String(training), "--held-out", String(heldOut), "--sources"]);
}

/** Runs everything on GPUs; returns the path of its report. */
async function main(options: Options): Promise<string> {
  const { namespace } = options;
  if (settings.imageVariant !== "cuda")
    throw new Error(
      "the images are built for CPUs, where this hypernetwork would take days; examples/12-libraries/README.md says what two cores can do",
    );
  const images = await timings.run("cluster and images", "cluster, images and chart", () => install(options));
  const trainer = images.trainer;
  if (!trainer) throw new Error("the trainer image was not built");
  const world = await timings.run("world", "base, corpora and tasks", async () =>
    storeWorld(options, await preparedModel(quickstartModel, trainer)),
  );
  await emptyNamespace(namespace, ownNamespace);
  await apply("00-namespace.yaml", namespaceManifest(namespace, ownNamespace));
  await apply("01-libraries.yaml", libraryManifest(namespace, await sources()));
  await apply("02-training.yaml", hypernetworkManifest(options, world), generateManifest(options, world));
  await over("TrainingRun", namespace, runs.hypernetwork);
  await over("TrainingRun", namespace, runs.generated);
  // Only now: on one GPU the server would keep it from the trainings.
  await apply("03-model-server.yaml", serverManifest(options, world));
  const generated = await adaptersOf(namespace, runs.generated);
  await apply("04-controls.yaml", ...controlManifests(options, world, generated));
  for (const name of [runs.mean, runs.noise]) await over("TrainingRun", namespace, name);
  await timings.run("model server", "ModelServer libraries", (detail) => serverReady(namespace, "libraries", detail));
  const [[mean = ""], [noise = ""]] = [await adaptersOf(namespace, runs.mean), await adaptersOf(namespace, runs.noise)];
  await apply("05-evaluation.yaml", evaluationManifest(options, world, mean, noise));
  const { status } = await over<{ report?: ArtifactReference }>("Evaluation", namespace, evaluationName);
  return await writeReport(options, status?.report);
}

async function storeWorld(options: Options, model: string): Promise<World> {
  using models = await adminRegistry(options, `rune/models/${quickstartModel}`);
  const { repository, digest } = await storeModel(models.registry, quickstartModel, model);
  const store = (what: string, type: string, file: string, title: string) => storeFile(options, { what, type, file, title });
  return {
    base: { oci: { repository, digest } },
    training: await store("corpora", mediaType.corpus, "training.jsonl", "corpus.jsonl"),
    heldOut: await store("corpora", mediaType.corpus, "held-out.jsonl", "corpus.jsonl"),
    tasks: await store("tasks", mediaType.taskSet, "tasks.json", "tasks.json"),
  };
}

type Stored = Record<"what" | "type" | "file" | "title", string>;

async function storeFile(options: Options, { what, type, file, title }: Stored): Promise<ArtifactReference> {
  const repository = `rune/${options.namespace}/${what}`;
  using access = await adminRegistry(options, repository);
  const files = [{ title, mediaType: type, bytes: await readFile(join(data, file)) }];
  const { digest } = await access.registry.push({ repository, artifactType: type, config: {}, configMediaType: mediaType.empty, files });
  return { repository, digest };
}

async function sources(): Promise<Record<string, string>> {
  const folder = join(data, "sources");
  const names = await readdir(folder);
  return Object.fromEntries(await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name), "utf8")])));
}

const over = <Status>(kind: string, namespace: string, name: string) =>
  timings.run(name, `${kind} ${name}`, (detail) => untilOver<Status>(kind, namespace, name, detail));

async function adaptersOf(namespace: string, run: string): Promise<string[]> {
  const found = await until(
    () => list<NonNullable<Adapter["status"]>>("Adapter", namespace, { [label.run]: run }),
    (adapters) => adapters.length > 0,
    () => {},
  );
  return found.map(({ metadata }) => metadata.name).toSorted();
}

async function writeReport(options: Options, report?: ArtifactReference): Promise<string> {
  if (!report) throw new Error(`evaluation ${evaluationName} ended without a report`);
  const folder = join(settings.out, "libraries");
  await mkdir(folder, { recursive: true });
  for (const title of ["assessment.md", "assessment.html", "report.json"])
    await writeFile(join(folder, title), await reportFile(options, report, title));
  return join(folder, "assessment.md");
}

try {
  const options = optionsFrom(process.argv.slice(2).filter((argument) => argument !== "--help"));
  if (process.argv.includes("--help")) {
    console.log(usage);
  } else {
    await progress.step(`${options.training} private libraries to learn from, ${options.heldOut} held out`, () => makeData(options));
    if (options.dataOnly) {
      console.log(`The files are in ${data}. To train on them: see examples/12-libraries/README.md`);
    } else {
      const assessment = await main(options);
      console.log(`${await readFile(assessment, "utf8")}\nMinutes: ${JSON.stringify(timings.figures)}\n`);
      console.log(await kubectl(["get", "modelservers,trainingruns,evaluations", "-n", options.namespace]));
    }
  }
} catch (error) {
  console.error(`\nThe libraries stopped: ${(error as Error).message}`);
  process.exitCode = 1;
}
