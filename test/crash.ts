import { progress } from "../cluster/progress.ts";
import type { Adapter } from "../crds/src/adapter.ts";
import { label } from "../crds/src/common.ts";
import type { TrainingRun } from "../crds/src/training-run.ts";
import { type Boundary, recovered, strikeLater, survive, type Victim } from "./support/crash.ts";
import { namespace } from "./support/installation.ts";
import { create, eventually, read, readAll, remove } from "./support/objects.ts";
import { workingSession } from "./support/sessions.ts";
import { runViolations, smallRun, trainer } from "./support/training.ts";

/**
 * `node test/crash.ts [victim…]`: kills trainer, NATS and registry at three boundaries each and prints what came of it. It needs the
 * quickstart's installation and half an hour, so it is no part of `npm test`; what is quick enough for that is crash.cluster.test.ts.
 */
interface Row {
  victim: string;
  boundary: string;
  seconds: number;
  outcome: string;
  violations: string[];
}

const sessionCases: [Victim, Boundary][] = [
  ["nats", "isolation"],
  ["nats", "generate intent"],
  ["nats", "executed"],
  ["registry", "isolation"],
  ["registry", "executed"],
  ["registry", "ended"],
];

async function sessionCase(victim: Victim, boundary: Boundary, index: number): Promise<Row> {
  const manifest = await workingSession(`crash-${victim}`, index);
  const { session, violations, seconds } = await survive(manifest, victim, boundary);
  await remove("AgentSession", namespace, manifest.metadata.name);
  return { victim, boundary, seconds, outcome: `${session.status?.outcome}, epoch ${session.status?.epoch}`, violations };
}

/** Each kills the trainer of the first attempt; the run's second attempt must end it. */
const trainerCases: [string, (run: string) => Promise<void>][] = [
  ["its start", (run) => trainer(run, "running")],
  ["its first checkpoint", (run) => step(run, 3)],
  ["its last step", (run) => step(run, Number.POSITIVE_INFINITY)],
];

async function trainerCase(boundary: string, reached: (run: string) => Promise<void>): Promise<Row> {
  const manifest = await smallRun("crash-trainer", 3);
  const { name } = manifest.metadata;
  const began = Date.now();
  await create(manifest);
  await trainer(name, "running");
  const kill = await strikeLater(namespace, { "batch.kubernetes.io/job-name": `${name}-a1` });
  await reached(name);
  await kill();
  const { run, violations } = await runViolations(name);
  const made = await readAll<Adapter>("Adapter", namespace, { [label.run]: name });
  await remove("TrainingRun", namespace, name);
  await remove("Adapter", namespace, ...made.map(({ metadata }) => metadata.name));
  const attempts = run.status?.attempts?.map(({ result }) => result).join(" → ") ?? "none";
  return { victim: "trainer", boundary, seconds: Math.round((Date.now() - began) / 1000), outcome: attempts, violations };
}

/** Waits until the run has told of this step, or of its last one. */
async function step(run: string, number: number): Promise<void> {
  await eventually(
    `${run} is at step ${number}`,
    () => read<TrainingRun>("TrainingRun", namespace, run),
    ({ status }) => {
      const { step: at = 0, totalSteps = Number.POSITIVE_INFINITY } = status?.progress ?? {};
      return at >= Math.min(number, totalSteps);
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
  };
  for (const [index, [victim, boundary]] of sessionCases.entries())
    if (wanted(victim)) await tried(victim, boundary, () => sessionCase(victim, boundary, 10 + index));
  if (wanted("trainer"))
    for (const [boundary, reached] of trainerCases) await tried("trainer", boundary, () => trainerCase(boundary, reached));
  console.log(table(rows));
  process.exitCode = rows.every(({ violations }) => violations.length === 0) ? 0 : 1;
}

function table(rows: readonly Row[]): string {
  const lines = rows.map(
    ({ victim, boundary, seconds, outcome, violations }) =>
      `| ${victim} | ${boundary} | ${seconds} s | ${outcome} | ${violations.length === 0 ? "nothing was lost or doubled" : violations.join("; ")} |`,
  );
  return ["| Killed | after | took | ended | record |", "|---|---|---|---|---|", ...lines].join("\n");
}

await main(process.argv.slice(2));
