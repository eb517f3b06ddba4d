import { readFile } from "node:fs/promises";
import { complete } from "@rune/clients/inference";
import { proveIsolation } from "@rune/clients/isolation";
import { connectLog, type SessionLog } from "@rune/clients/log";
import { Mlflow } from "@rune/clients/mlflow";
import { PodFailure } from "@rune/clients/pod";
import { Registry } from "@rune/clients/registry";
import { Runner } from "@rune/clients/runner";
import { chosenTasks } from "@rune/clients/task-set";
import type { EvaluatorResult, HeldOutTask } from "@rune/crds/artifact";
import { type EvaluatorJob, exit } from "@rune/crds/job-spec";
import { assessment } from "./assessment.ts";
import { Ledger } from "./ledger.ts";
import { measure } from "./measure.ts";
import { publishReport, trackReport } from "./publish.ts";
import { armEstimate, buildReport, isComplete, sampleLines } from "./report.ts";
import { loadTaskSet } from "./tasks.ts";
import type { World } from "./world.ts";

/** One epoch of one evaluation: judges what its arm still lacks, and publishes the report once no arm lacks anything. */
export async function runEvaluator(job: EvaluatorJob, signal: AbortSignal): Promise<EvaluatorResult> {
  const registry = new Registry({ url: job.registry.url, token: () => secret(job.registry.tokenFile) });
  const tasks = chosenTasks(await loadTaskSet(registry, job.taskSet), { ...job.taskSet, seed: job.seed });
  const { url, stream, subject } = job.nats;
  const credentials = await readFile(job.nats.credentialsFile, "utf8");
  const log = await connectLog({ url, credentials, stream, subject, uid: job.owner.uid, signal, deadline: Date.parse(job.deadline) });
  try {
    const ledger = new Ledger((await log.read()).records);
    await measure(await worldOf(job, tasks, ledger, log, signal), signal);
    const result = { arm: job.arm, passAt1: armEstimate(job, job.arm, tasks, ledger), completed: tasks.length * job.samples };
    return isComplete(job, tasks, ledger) ? { ...result, ...(await publish(job, tasks, ledger, registry)) } : result;
  } finally {
    await log.close();
  }
}

async function publish(job: EvaluatorJob, tasks: readonly HeldOutTask[], ledger: Ledger, registry: Registry) {
  const report = buildReport(job, tasks, ledger);
  const text = assessment(report, ledger);
  const reference = await publishReport(registry, job, report, { assessment: text, samples: sampleLines(job, tasks, ledger) });
  const mlflowRunID = job.mlflow && (await trackReport(new Mlflow({ url: job.mlflow.url }), job.mlflow.experiment, report, text));
  const delta = report.comparisons.find(({ candidate }) => candidate === report.gate?.candidate)?.delta;
  return { delta, ...report.gate?.verdict, report: reference, mlflowRunID };
}

async function worldOf(
  job: EvaluatorJob,
  tasks: readonly HeldOutTask[],
  ledger: Ledger,
  log: SessionLog,
  signal: AbortSignal,
): Promise<World> {
  const arm = job.arms.find(({ name }) => name === job.arm);
  if (!arm)
    throw new PodFailure(
      exit.misconfigured,
      "NoSuchArm",
      `the spec's arm ${job.arm} is none of its arms; the operator wrote a spec that contradicts itself`,
    );
  const runner = new Runner({ url: job.sandbox.url, token: await secret(job.sandbox.tokenFile), signal });
  return {
    job,
    tasks,
    ledger,
    append: async (record) => {
      await log.append(record);
    },
    ask: (question) => complete({ ...question, url: arm.model.url, model: arm.model.name, deadline: Date.parse(job.deadline), signal }),
    execute: async (program) => (await runner.execute(program)).execution,
    tryTests: ({ entryPoint, tests }) => runner.tryTests({ entryPoint, tests }),
    prove: () => proveIsolation({ targets: job.sandbox.probeTargets, probe: (targets) => runner.probe(job.epoch, targets), signal }),
    now: () => new Date(),
  };
}

async function secret(path: string): Promise<string> {
  return (await readFile(path, "utf8")).trim();
}
