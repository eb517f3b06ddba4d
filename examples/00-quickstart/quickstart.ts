import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { cluster, kubectl } from "@rune/cluster/api";
import { settings } from "@rune/cluster/settings";
import { mediaType } from "@rune/crds/contracts/artifact";
import type { ArtifactReference } from "@rune/crds/fields/artifact-reference";
import type { BaseModel } from "@rune/crds/fields/base-model";
import type { Adapter } from "@rune/crds/kinds/adapter";
import type { AgentSession, Task } from "@rune/crds/kinds/agent-session";
import type { EnvironmentCheck } from "@rune/crds/kinds/environment-check";
import type { Evaluation } from "@rune/crds/kinds/evaluation";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import { quickstartModel, storeQuickstartModel } from "../shared/base-model.ts";
import { script, writeFigures } from "../shared/command-line.ts";
import { adminRegistry, install } from "../shared/installation.ts";
import { namespaceManifest } from "../shared/manifests.ts";
import { apply, emptyNamespace, get, isOver, isTrue, list, serverReady, until, untilOver, words } from "../shared/objects.ts";
import { Timings } from "../shared/timings.ts";
import {
  environment,
  environmentManifest,
  evaluationManifest,
  libraryManifest,
  ownNamespace,
  scope,
  serverManifest,
  sessionManifest,
  trainingLabel,
  trainingRunManifest,
} from "./manifests.ts";
import { type Options, optionsFrom, usage } from "./options.ts";
import { environmentOf, evaluationOf, isolationOf, type Result, sessionCounts, story } from "./report.ts";

/** A task of the evaluation, with the cluster that it shares with others: intervals are over clusters. */
type HeldOutTask = Task & { cluster?: string };
type Status<Kind extends { status?: unknown }> = NonNullable<Kind["status"]>;

const scenario = join(settings.root, "examples/00-quickstart/scenario");
const timings = new Timings();

async function main(options: Options): Promise<Result> {
  const tasks: { train: Task[]; heldOut: HeldOutTask[] } = JSON.parse(await readFile(join(scenario, "tasks.json"), "utf8"));
  const { namespace } = options;
  const images = await timings.run("cluster and images", "cluster, images and chart", () => install(options));
  const model = await timings.run("model", `the base model ${quickstartModel}`, () => storeQuickstartModel(options, images.trainer));
  const base: BaseModel = { oci: { repository: model.repository, digest: model.digest } };
  const taskSet = await storeTasks(options, tasks.heldOut);
  await emptyNamespace(namespace, ownNamespace);
  await apply("00-namespace.yaml", namespaceManifest(namespace, ownNamespace));
  await apply("01-environment-check.yaml", environmentManifest(namespace, base, options));
  await apply("02-library.yaml", libraryManifest(namespace, await readFile(join(scenario, "library/tessera.py"), "utf8")));
  await apply("03-model-server.yaml", serverManifest(namespace, base));
  const server = await timings.run("model server", "ModelServer coder: vLLM with two pipeline stages", (detail) =>
    serverReady(namespace, "coder", detail),
  );
  // It began with the server, so only its remaining time counts here.
  const checked = await timings.run("environment check", "EnvironmentCheck: trains and serves a made-up word", (detail) =>
    environmentChecked(namespace, detail),
  );

  const training = tasks.train.slice(0, options.trainingTasks);
  await apply("04-sessions.yaml", ...training.map((task) => sessionManifest(namespace, `learn-${task.id}`, task, options, trainingLabel)));
  await apply("05-training-run.yaml", trainingRunManifest(namespace, base, options));
  const sessions = await timings.run("sessions", `${training.length} AgentSessions on training tasks`, (detail) =>
    sessionsOver(namespace, trainingLabel, detail),
  );
  const run = await timings.run("training", "TrainingRun tessera", (detail) =>
    untilOver<Status<TrainingRun>>("TrainingRun", namespace, "tessera", detail),
  );
  const adapter = await get<Status<Adapter>>("Adapter", namespace, run.status?.adapter ?? "");

  await apply("06-evaluation.yaml", evaluationManifest(namespace, taskSet, adapter.metadata.name, options));
  const evaluation = await timings.run("evaluation", "Evaluation of adapter against base", (detail) =>
    untilOver<Status<Evaluation>>("Evaluation", namespace, "tessera-held-out", detail),
  );

  const later = laterTasks(tasks.heldOut);
  await untilFitnessIsKnown(namespace, adapter.metadata.name);
  await apply(
    "07-later-sessions.yaml",
    ...later.map((task, index) => sessionManifest(namespace, `later-${index + 1}`, task, options, { "example.org/later": "true" })),
  );
  const laterSessions = await timings.run(
    "later sessions",
    `${later.length} new AgentSessions, which choose their memory themselves`,
    (detail) => sessionsOver(namespace, { "example.org/later": "true" }, detail),
  );
  return {
    environment: environmentOf(checked.status ?? {}),
    sessions: sessionCounts(sessions),
    adapter: { name: adapter.metadata.name, digest: run.status?.result?.digest ?? "", servedBy: server.status?.url ?? "" },
    evaluation: evaluationOf(evaluation.status ?? {}),
    isolation: isolationOf([...sessions, ...laterSessions, evaluation].map((object) => object.status?.isolation)),
    laterSessions: laterSessions.map((session, index) => ({
      name: session.metadata.name,
      task: later[index]?.id ?? "",
      solved: isTrue(session, "Solved"),
      adapter: session.status?.adapter?.name ?? null,
      reason: session.status?.adapter?.reason ?? "",
    })),
    ...timings.figures,
  };
}

async function storeTasks(options: Options, tasks: HeldOutTask[]): Promise<ArtifactReference> {
  const repository = `rune/${options.namespace}/tasks`;
  using access = await adminRegistry(options, repository);
  const document = { schema: "rune.dev/taskset/v1", name: "tessera held-out", tasks: tasks.map((task) => ({ ...task, scope })) };
  const files = [{ title: "tasks.json", mediaType: mediaType.taskSet, bytes: Buffer.from(JSON.stringify(document)) }];
  const artifact = { repository, artifactType: mediaType.taskSet, config: {}, configMediaType: mediaType.empty, files };
  const { digest } = await access.registry.push(artifact);
  return { repository, digest };
}

/** Problems of the environment are reported before an hour is spent. */
async function environmentChecked(namespace: string, detail: (text: string) => void) {
  const seen = await untilOver<Status<EnvironmentCheck>>("EnvironmentCheck", namespace, environment, detail);
  if (!isTrue(seen, "ChecksPassed")) throw new Error(`this environment can't run the quickstart: ${words(seen)}`);
  return seen;
}

async function sessionsOver(namespace: string, labels: Record<string, string>, detail: (text: string) => void) {
  return await until(
    () => list<Status<AgentSession>>("AgentSession", namespace, labels),
    (sessions) => sessions.every(isOver),
    (sessions) => {
      const solved = sessions.filter((session) => isTrue(session, "Solved")).length;
      detail(`${sessions.filter(isOver).length} of ${sessions.length} ended, ${solved} solved`);
    },
  );
}

/** Waits until the evaluation's numbers are in the adapter's status, where the selection of memory reads them. */
async function untilFitnessIsKnown(namespace: string, name: string): Promise<void> {
  await until(
    () => get<Status<Adapter>>("Adapter", namespace, name),
    (adapter) => adapter.status?.fitness !== undefined,
    () => {},
  );
}

/** Two uses of house functions that no session was trained on. */
function laterTasks(heldOut: readonly HeldOutTask[]): Task[] {
  const tables = heldOut.filter(({ id }) => id.startsWith("table-"));
  return (tables.length >= 2 ? tables : heldOut).slice(0, 2).map(({ cluster: _, ...task }) => task);
}

await script("The quickstart", usage, async (argv) => {
  const options = optionsFrom(argv, settings.imageVariant);
  const result = await main(options);
  await writeFigures("quickstart", result);
  console.log(story(result, options.namespace));
  console.log(await kubectl(["get", "rune", "-A"]));
  console.log(`  export KUBECONFIG=${cluster().kubeconfig}`);
  if (!result.isolation.verified) process.exitCode = 1;
});
