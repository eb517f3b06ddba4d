import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { kubectl } from "@rune/cluster/api";
import { humanEvalTasks } from "@rune/cluster/human-eval";
import { progress } from "@rune/cluster/progress";
import { settings } from "@rune/cluster/settings";
import type { BaseModel } from "@rune/crds/fields/base-model";
import type { Adapter } from "@rune/crds/kinds/adapter";
import type { AgentSession } from "@rune/crds/kinds/agent-session";
import { label } from "@rune/crds/words/labels";
import { quickstartModel, storeQuickstartModel } from "../shared/base-model.ts";
import { script } from "../shared/command-line.ts";
import { install } from "../shared/installation.ts";
import { type Manifest, namespaceManifest } from "../shared/manifests.ts";
import {
  applyKept,
  emptyNamespace,
  isOver,
  isTrue,
  list,
  ownNamespaceExists,
  type Seen,
  serverReady,
  until,
  untilOver,
} from "../shared/objects.ts";
import { reportFile } from "../shared/report.ts";
import { Timings } from "../shared/timings.ts";
import {
  evaluationManifest,
  evaluationName,
  fineTunedManifest,
  generateManifest,
  hypernetworkManifest,
  learningLabel,
  meanManifest,
  ownNamespace,
  runs,
  server,
  serverManifest,
  sessionManifest,
  taskSetManifest,
} from "./manifests.ts";
import { type Options, optionsFrom, usage } from "./options.ts";
import { type EvaluationStatus, measuredOf, type Result, resultPage, story, type TrainingStatus, trainedOf } from "./report.ts";
import { askedFor, heldOutTasks, secondTries, solvedOf, type TrainingTask, trainedOn, trainingTasks, withNearestScope } from "./tasks.ts";

type SessionStatus = NonNullable<AgentSession["status"]>;
type AdapterStatus = NonNullable<Adapter["status"]>;

const timings = new Timings();
const apply = (file: string, ...manifests: Manifest[]) => applyKept(join("hypothesis", file), ...manifests);

async function main(options: Options): Promise<Result> {
  const { namespace } = options;
  const images = await timings.run("cluster and images", "cluster, images and chart", () => install(options));
  const { repository, digest } = await timings.run("model", `the base model ${quickstartModel}`, () =>
    storeQuickstartModel(options, images.trainer),
  );
  const base: BaseModel = { oci: { repository, digest } };
  const humanEval = await humanEvalTasks();
  await (options.resume ? ownNamespaceExists : emptyNamespace)(namespace, ownNamespace);
  await apply("00-namespace.yaml", namespaceManifest(namespace, ownNamespace));
  await apply("01-model-server.yaml", serverManifest(namespace, base));
  await timings.run("model server", `ModelServer ${server}`, (detail) => serverReady(namespace, server, detail));

  const training = trainingTasks(humanEval, options);
  const { sessions, solved } = await timings.run("sessions", `${training.length} AgentSessions on HumanEval's Train part`, (detail) =>
    learn(options, training, detail),
  );
  const heldOut = withNearestScope(heldOutTasks(humanEval, options), solved);
  const nearest = askedFor(heldOut, solved);
  await apply("03-tasks.yaml", taskSetManifest(namespace, heldOut));
  const learnt = trainedOn(solved, nearest, options);
  await apply("04-fine-tuned.yaml", fineTunedManifest(options, base, learnt));
  const fineTuned = await trained(namespace, runs.fineTuned);
  await apply("05-hypernetwork.yaml", hypernetworkManifest(options, base, learnt));
  const hypernetwork = await trained(namespace, runs.hypernetwork);
  await apply("06-generate.yaml", generateManifest(options, base, nearest));
  const generated = await trained(namespace, runs.generated);
  const adapters = await adaptersOf(namespace, runs.generated, generated.status?.adapters?.total ?? nearest.length);
  await apply("07-mean.yaml", meanManifest(options, base, adapters));
  const mean = await trained(namespace, runs.mean);

  const names = { mean: await onlyAdapterOf(namespace, runs.mean), fineTuned: await onlyAdapterOf(namespace, runs.fineTuned) };
  await apply("08-evaluation.yaml", evaluationManifest(options, names));
  const evaluation = await timings.run("evaluation", `Evaluation ${evaluationName}: six arms`, (detail) =>
    untilOver<EvaluationStatus>("Evaluation", namespace, evaluationName, detail),
  );
  return {
    options: { ...options },
    sessions: { total: sessions, solved: solved.length },
    nearestSessions: nearest.length,
    training: {
      fineTuned: trainedOf(fineTuned),
      hypernetwork: trainedOf(hypernetwork),
      generated: trainedOf(generated),
      mean: trainedOf(mean),
    },
    evaluation: measuredOf(evaluation, JSON.parse(await fileOf(options, evaluation, "report.json"))),
    ...timings.figures,
    assessment: await fileOf(options, evaluation, "assessment.md"),
    page: await fileOf(options, evaluation, "assessment.html"),
  };
}

/** One session per task, and a second one for each unsolved task if too few were solved. */
async function learn(options: Options, training: readonly TrainingTask[], detail: (text: string) => void) {
  await apply("02-sessions.yaml", ...training.map((each) => sessionManifest(options, each)));
  const first = await sessionsOver(options.namespace, detail);
  const solved = solvedOf(training, first);
  if (solved.length >= options.minimumPairs) return { sessions: first.length, solved };
  const second = secondTries(training, solved);
  await apply("02-sessions-again.yaml", ...second.map((each) => sessionManifest(options, each)));
  const all = await sessionsOver(options.namespace, detail);
  const solvedInAll = solvedOf([...training, ...second], all);
  if (solvedInAll.length < options.minimumPairs)
    throw new Error(
      `${solvedInAll.length} tasks were solved in ${all.length} sessions, and the hypernetwork needs ${options.minimumPairs}; start it again, with fewer --sessions it needs fewer`,
    );
  return { sessions: all.length, solved: solvedInAll };
}

async function sessionsOver(namespace: string, detail: (text: string) => void): Promise<Seen<SessionStatus>[]> {
  return await until(
    () => list<SessionStatus>("AgentSession", namespace, learningLabel),
    (sessions) => sessions.every(isOver),
    (sessions) => {
      const solved = sessions.filter((session) => isTrue(session, "Solved")).length;
      detail(`${sessions.filter(isOver).length} of ${sessions.length} ended, ${solved} solved`);
    },
  );
}

const trained = (namespace: string, name: string) =>
  timings.run(name, `TrainingRun ${name}`, (detail) => untilOver<TrainingStatus>("TrainingRun", namespace, name, detail));

/** Names of a run's adapters, once there are `count`. */
async function adaptersOf(namespace: string, run: string, count: number): Promise<string[]> {
  const found = await until(
    () => list<AdapterStatus>("Adapter", namespace, { [label.run]: run }),
    (adapters) => adapters.length >= count,
    () => {},
  );
  return found.map(({ metadata }) => metadata.name).toSorted();
}

async function onlyAdapterOf(namespace: string, run: string): Promise<string> {
  const [name = ""] = await adaptersOf(namespace, run, 1);
  return name;
}

async function fileOf(options: Options, { status }: Seen<EvaluationStatus>, title: string): Promise<string> {
  if (!status?.report) throw new Error(`evaluation ${evaluationName} ended without a report`);
  return await reportFile(options, status.report, title);
}

/** Figures and page are written to `out`; with --keep, figures and assessment become a page of docs/results. */
async function write({ page, assessment, ...figures }: Result, keep: boolean): Promise<void> {
  const json = `${JSON.stringify(figures, null, 2)}\n`;
  await mkdir(join(settings.out, "hypothesis"), { recursive: true });
  await writeFile(join(settings.out, "hypothesis.json"), json);
  await writeFile(join(settings.out, "hypothesis/assessment.html"), page);
  await writeFile(join(settings.out, "hypothesis/assessment.md"), assessment);
  if (!keep) return;
  const results = join(settings.root, "docs/results");
  await mkdir(results, { recursive: true });
  await writeFile(join(results, "hypothesis.md"), resultPage({ page, assessment, ...figures }));
  await writeFile(join(results, "hypothesis.json"), json);
}

await script("The experiment", usage, async (argv) => {
  const options = optionsFrom(argv, settings.imageVariant);
  const result = await main(options);
  await progress.step("writing the results", () => write(result, options.keep));
  console.log(story(result));
  console.log(await kubectl(["get", "modelservers,trainingruns,evaluations", "-n", options.namespace]));
});
