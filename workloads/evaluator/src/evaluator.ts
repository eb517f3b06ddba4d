import { complete } from "@rune/clients/inference/inference";
import { Mlflow } from "@rune/clients/mlflow/mlflow";
import type { SessionLog } from "@rune/clients/nats/log";
import { Registry } from "@rune/clients/registry/registry";
import { tasksUpToLook } from "@rune/clients/tasks/task-set";
import type { EvaluatorJob, EvaluatorResult } from "@rune/crds/contracts/evaluator";
import { openLog } from "@rune/workloads-shared/log";
import { sandboxOf } from "@rune/workloads-shared/sandbox";
import { secretAt } from "@rune/workloads-shared/secret";
import { pullFacts } from "./adapter-facts.ts";
import { type Arm, activeArms } from "./arms.ts";
import { assessment } from "./assessment.ts";
import { page } from "./assessment-page.ts";
import { contextRenderer, noContext } from "./context.ts";
import { markdown } from "./document.ts";
import { loadExperience } from "./experience.ts";
import { measure } from "./measure.ts";
import { Progress } from "./progress.ts";
import { publishReport, trackReport } from "./publish.ts";
import { buildReport, type Report, sampleLines } from "./report.ts";
import { armEstimate, costsOf, isComplete, isJudged, type Judged, judgedPrograms, type Measured } from "./results.ts";
import { refuseSeen } from "./seen-tasks.ts";
import { loadTasks } from "./tasks.ts";
import type { World } from "./world.ts";

/**
 * One epoch of one evaluation: judges what its arms still lack in this look, as far as the claimed adapters can answer
 * it. After the last arm it decides whether the evaluation ends at this look, and publishes the report if so.
 */
export async function runEvaluator(job: EvaluatorJob, signal: AbortSignal): Promise<EvaluatorResult> {
  const registry = new Registry({ url: job.registry.url, token: () => secretAt(job.registry.tokenFile) });
  const chosen = await loadTasks(registry, job);
  const log = await openLog(job, Date.parse(job.deadline), signal);
  try {
    const ledger = new Progress((await log.read()).records);
    // Artifacts never change: what an earlier epoch read from them before its proof is still valid.
    const facts = ledger.provenEpoch === 0 ? await pullFacts(registry, job, chosen) : undefined;
    if (facts) refuseSeen(job, facts);
    const judged = { job, tasks: tasksUpToLook(chosen, job.look), ledger };
    await measure(await worldOf(judged, registry, log, signal), signal);
    if (!isComplete(judged)) return resultOf(judged);
    const measured = { ...judged, facts: facts ?? (await pullFacts(registry, job, chosen)) };
    return { ...resultOf(judged), ...(await conclude(measured, registry)) };
  } finally {
    await log.close();
  }
}

/** What this job's arms have done so far. */
function resultOf(measured: Judged): EvaluatorResult {
  const resultOfArm = (arm: Arm) => ({
    name: arm.name,
    completed: judgedPrograms(arm, measured),
    costs: costsOf(arm, measured),
    ...(isJudged(arm.name, measured) && { passAt1: armEstimate(arm, measured) }),
  });
  return { arms: activeArms(measured.job).map(resultOfArm) };
}

/** The result of all arms together; only the last look, or one that decides, has a verdict and a report. */
async function conclude(measured: Measured, registry: Registry): Promise<Partial<EvaluatorResult>> {
  const { job } = measured;
  const report = buildReport(measured);
  const decided = report.gate?.decided ?? job.look.number === job.look.of;
  const numbers = { decided, ...numbersOf(report) };
  if (!decided) return numbers;
  const written = assessment(report, measured.ledger);
  const text = markdown(written);
  const texts = { assessment: text, page: page(report, written), samples: sampleLines(measured) };
  const reference = await publishReport(registry, job, report, texts);
  const told = { report, assessment: text, reference };
  const mlflowRunID = job.mlflow && (await trackReport(new Mlflow({ url: job.mlflow.url }), job.mlflow.experiment, told));
  return { ...numbers, ...report.gate?.verdict, report: reference, mlflowRunID };
}

function numbersOf({ comparisons, gate }: Report): Partial<EvaluatorResult> {
  return {
    comparisons: comparisons.map(({ candidate, delta, lead }) => ({ candidate, delta, lead })),
    delta: comparisons.find(({ candidate }) => candidate === gate?.candidate)?.delta,
    controlsMissing: gate?.controlsMissing ?? undefined,
  };
}

async function worldOf({ job, tasks, ledger }: Judged, registry: Registry, log: SessionLog, signal: AbortSignal): Promise<World> {
  const renderers = new Map<string, ReturnType<typeof contextRenderer>>();
  for (const arm of activeArms(job)) renderers.set(arm.name, contextRenderer(arm.context, await loadExperience(registry, arm)));
  return {
    ...(await sandboxOf(job, signal)),
    job,
    tasks,
    ledger,
    append: async (record) => {
      await log.append(record);
    },
    ask: (arm, question) => complete({ ...question, url: arm.model.url, deadline: Date.parse(job.deadline), signal }),
    contextFor: (arm, task) => renderers.get(arm.name)?.(task) ?? noContext,
    now: () => new Date(),
  };
}
