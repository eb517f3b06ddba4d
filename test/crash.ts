import { join } from "node:path";
import { progress } from "../cluster/progress.ts";
import { settings } from "../cluster/settings.ts";
import { attempt } from "../cluster/shell.ts";
import type { Adapter } from "../crds/kinds/adapter.ts";
import type { TrainingRun } from "../crds/kinds/training-run.ts";
import { label } from "../crds/words/labels.ts";
import { answering, type Boundary, boundaries, prepareKill, recovered, survive, type Victim } from "./support/crash.ts";
import { namespace, registryOf, system, tellTracker } from "./support/installation.ts";
import { create, eventually, read, readAll, remove } from "./support/objects.ts";
import { workingSession } from "./support/sessions.ts";
import { type Death, type Method, runViolations, smallRun, trainer, trainerLog, trainerStopped } from "./support/training.ts";

/**
 * `node test/crash.ts [victim…] [generation]`: kills every component at every boundary of a session and of a run that
 * crash.cluster.test.ts leaves out, and after every effect of evolution's generations, and prints the results. It needs
 * the quickstart's installation and two hours, so it is no part of `npm test`.
 */
interface Row {
  victim: string;
  boundary: string;
  seconds: number;
  outcome: string;
  violations: string[];
}

/** An agent doesn't exist before its isolation is proven, nor after it reported its end. */
const sessionCases: Record<Victim, readonly Boundary[]> = {
  operator: ["status.epoch", "isolation", "generate intent", "generated", "execute intent", "executed", "reflected"],
  agent: ["generated", "execute intent", "reflected"],
  vllm: ["status.epoch", "isolation", "generate intent", "generated", "execute intent", "executed", "reflected", "ended"],
  rank: ["generate intent", "executed"],
  "hung-rank": ["executed"],
  nats: boundaries,
  registry: boundaries,
};

async function sessionCase(victim: Victim, boundary: Boundary, index: number): Promise<Row> {
  const manifest = await workingSession(`crash-${victim}`, index);
  const { session, violations, seconds } = await survive(manifest, victim, boundary);
  await remove("AgentSession", namespace, manifest.metadata.name);
  return { victim, boundary, seconds, outcome: `${session.status?.outcome}, epoch ${session.status?.epoch}`, violations };
}

/** The moment of a kill in a run: as soon as this holds. */
const moments = {
  "the trainer's start": (run: string) => trainer(run, "running"),
  "the first checkpoint": (run: string) => step(run, ({ checkpoint }) => checkpoint.everySteps + 1),
  "the last step": (run: string) => step(run, () => Number.POSITIVE_INFINITY),
  "the push": pushed,
};
type Moment = keyof typeof moments;

const everyMoment: readonly Moment[] = ["the trainer's start", "the first checkpoint", "the last step", "the push"];
/** A control takes a second and reports no step. */
const start: readonly Moment[] = ["the trainer's start"];

const trainingCases: Record<"operator" | "trainer" | "nats" | "registry", Partial<Record<Method, readonly Moment[]>>> = {
  operator: { sft: everyMoment.slice(1), merge: everyMoment.slice(1), control: start },
  trainer: { sft: everyMoment, merge: everyMoment, control: start },
  nats: { sft: everyMoment },
  registry: { sft: everyMoment, merge: ["the push"], control: start },
};

async function trainingCase(victim: keyof typeof trainingCases, method: Method, moment: Moment): Promise<Row> {
  const manifest = await smallRun(`crash-${victim}`, { method, epochs: 3 });
  const { name } = manifest.metadata;
  const began = Date.now();
  await create(manifest);
  const death = await killed(victim, moment, name);
  const { run, violations } = await runViolations(name, death);
  const made = await readAll<Adapter>("Adapter", namespace, { [label.run]: name });
  await remove("TrainingRun", namespace, name);
  await remove("Adapter", namespace, ...made.map(({ metadata }) => metadata.name));
  const attempts = run.status?.attempts?.map(({ result }) => result).join(" → ") ?? "none";
  const boundary = momentOf(method, moment);
  return { victim, boundary, seconds: Math.round((Date.now() - began) / 1000), outcome: attempts, violations };
}

const momentOf = (method: Method, moment: Moment) => `${moment} of method ${method}`;

/** Kills the victim at the moment, and returns how far the trainer was if that is the victim. */
async function killed(victim: keyof typeof trainingCases, moment: Moment, run: string): Promise<Death | undefined> {
  await trainer(run, "running");
  const kill =
    victim === "trainer"
      ? await prepareKill(namespace, { "batch.kubernetes.io/job-name": `${run}-a1` })
      : await prepareKill(system, { "app.kubernetes.io/component": victim });
  try {
    await moments[moment](run);
    const death = victim === "trainer" ? { log: await trainerLog(run, 1), pushed: moment === "the push" } : undefined;
    await kill();
    // Otherwise the tracker's answer would reach it before the kubelet does.
    if (victim === "trainer") await trainerStopped(run, 1);
    return death;
  } finally {
    await tellTracker("SIGCONT");
  }
}

/**
 * Waits until the run's artifact is in the registry. Its trainer's termination message follows at once, so the tracker,
 * which is notified first, is made to block it, from well before: so short a run sends it nothing between its start and
 * its end. A kill now happens between the two.
 */
async function pushed(run: string): Promise<void> {
  const { uid } = (await read<TrainingRun>("TrainingRun", namespace, run)).metadata;
  const repository = `rune/${namespace}/adapters`;
  const registry = await registryOf(repository);
  await step(run, () => 1);
  await tellTracker("SIGSTOP");
  await eventually(
    `the artifact of ${run} is in the registry`,
    () => registry.resolveTag(repository, `run-${uid}`),
    (digest) => digest !== null,
  );
}

/** Waits until the run has reported a step, or its last one. */
async function step(run: string, wanted: (spec: TrainingRun["spec"]) => number): Promise<void> {
  await eventually(
    `${run} has reported its step`,
    () => read<TrainingRun>("TrainingRun", namespace, run),
    ({ spec, status }) => {
      const { step: at = 0, totalSteps = Number.POSITIVE_INFINITY } = status?.progress ?? {};
      return at >= Math.min(wanted(spec), totalSteps);
    },
    15,
  );
}

async function main(victims: readonly string[]): Promise<void> {
  const wanted = (victim: string) => victims.length === 0 || victims.includes(victim);
  const rows: Row[] = [];
  const tried = async (victim: string, boundary: string, work: () => Promise<Row>) => {
    const failed = (error: Error): Row => ({ victim, boundary, seconds: 0, outcome: "–", violations: [error.message] });
    rows.push(await progress.step(`${victim} killed after ${boundary}`, () => work().catch(failed)));
    await recovered();
    await answering();
  };
  try {
    let index = 0;
    for (const [victim, all] of entries(sessionCases).filter(([victim]) => wanted(victim)))
      for (const boundary of all) await tried(victim, boundary, () => sessionCase(victim, boundary, index++));
    for (const [victim, all] of entries(trainingCases).filter(([victim]) => wanted(victim)))
      for (const [method, some] of entries(all))
        for (const moment of some) await tried(victim, momentOf(method, moment), () => trainingCase(victim, method, moment));
  } finally {
    if (rows.length > 0) console.log(table(rows));
  }
  const generationFails = wanted("generation") && (await generations()) !== 0;
  process.exitCode = generationFails || rows.some(({ violations }) => violations.length > 0) ? 1 : 0;
}

/** The example makes its own adapters and checks itself that nothing was lost or doubled. */
async function generations(): Promise<number> {
  const example = [join(settings.root, "examples/run.ts"), "evolution", "--kill-at-effects"];
  return (await attempt(process.execPath, example, { onLine: (line) => console.log(line) })).code;
}

const entries = <Key extends string, Value>(record: Partial<Record<Key, Value>>) => Object.entries(record) as [Key, Value][];

function table(rows: readonly Row[]): string {
  const lines = rows.map(
    ({ victim, boundary, seconds, outcome, violations }) =>
      `| ${victim} | ${boundary} | ${seconds} s | ${outcome} | ${violations.length === 0 ? "nothing was lost or doubled" : violations.join("; ")} |`,
  );
  return ["| Killed | after | took | ended | record |", "|---|---|---|---|---|", ...lines].join("\n");
}

await main(process.argv.slice(2));
