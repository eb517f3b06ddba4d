import type { Mlflow } from "@rune/clients/mlflow/mlflow";
import { canonicalJSON } from "@rune/clients/registry/digest";
import type { Registry } from "@rune/clients/registry/registry";
import { mediaType } from "@rune/crds/contracts/artifact";
import type { EvaluatorJob } from "@rune/crds/contracts/evaluator";
import type { ArtifactReference } from "@rune/crds/fields/artifact-reference";
import type { Estimate } from "./intervals.ts";
import type { Report } from "./report.ts";

/** Stores the report; equal reports have one digest. */
export async function publishReport(
  registry: Pick<Registry, "push">,
  job: EvaluatorJob,
  report: Report,
  texts: { assessment: string; page: string; samples: string },
) {
  const file = (title: string, bytes: Uint8Array) => ({ title, mediaType: mediaType.reportFile, bytes });
  const { repository, digest } = await registry.push({
    repository: job.report.repository,
    artifactType: mediaType.report,
    config: {},
    configMediaType: mediaType.empty,
    files: [
      file("report.json", canonicalJSON(report)),
      file("assessment.html", Buffer.from(texts.page)),
      file("assessment.md", Buffer.from(texts.assessment)),
      file("samples.jsonl", Buffer.from(texts.samples)),
    ],
    tag: `evaluation-${job.owner.uid}`,
  });
  return { repository, digest };
}

const uidTag = "rune.evaluation.uid";

type Told = { report: Report; assessment: string; reference: ArtifactReference };

/**
 * Reports to the experiment tracker, in a dedicated run that a second attempt continues. Returns the run's ID, or
 * undefined: it never fails an evaluation.
 */
export async function trackReport(mlflow: Mlflow, experiment: string, told: Told): Promise<string | undefined> {
  const { report, assessment } = told;
  try {
    const { uid, name } = report.evaluation;
    const run =
      (await mlflow.findRun({ experiment, tag: uidTag, value: uid })) ??
      (await mlflow.startRun({ experiment, name, tags: tagsOf(told), params: paramsOf(report) }));
    await mlflow.logMetrics(run, metricsOf(report));
    await mlflow.note(run, noteOf(report) ?? assessment);
    await mlflow.endRun(run);
    return run.runID;
  } catch (error) {
    console.error(
      JSON.stringify({ level: "warn", message: `the report was not tracked: ${(error as Error).message}; the evaluation goes on without` }),
    );
    return undefined;
  }
}

function tagsOf({ report, reference }: Told): Record<string, string> {
  return { [uidTag]: report.evaluation.uid, "rune.report": `${reference.repository}@${reference.digest}` };
}

/** The gate's outcome in the plan's words; undefined without a gate. */
export function noteOf({ gate }: Report): string | undefined {
  return gate && { Passed: "Gate PASSED", Failed: "Gate FAILED — reassessing", Inconclusive: "Gate INCONCLUSIVE" }[gate.verdict.verdict];
}

/**
 * Under the plan's names, metrics of the gate's candidate or of the first arm: its Pass@1, and its adapter's training
 * statistics, with the alarm that decides whether it is memory; besides these each arm's Pass@1 and every gain. Unknown values are left out.
 */
export function metricsOf(report: Report): Record<string, number> {
  const { arms, comparisons, contrasts } = report;
  const { passAt1, training } = mainArm(report) ?? {};
  const known = {
    pass_at_1: passAt1?.estimate,
    training_loss: training?.trainingLoss,
    adapter_cosine_diversity: training?.cosineDiversity,
    delta_w_norm: training?.deltaWNorm,
    right_minus_wrong: training?.rightMinusWrong,
  };
  return Object.fromEntries([
    ...Object.entries(known).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const])),
    ...arms.map(({ name, passAt1 }) => [`pass_at_1.${name}`, passAt1.estimate] as const),
    ...comparisons.flatMap(({ candidate, delta }) => intervalMetrics("delta_points", candidate, delta)),
    ...contrasts.flatMap(({ baseline, delta }) => intervalMetrics("right_minus", baseline, delta)),
  ]);
}

function intervalMetrics(metric: string, arm: string, { estimate, lower, upper }: Estimate): (readonly [string, number])[] {
  return [
    [`${metric}.${arm}`, estimate],
    [`${metric}_lower.${arm}`, lower],
    [`${metric}_upper.${arm}`, upper],
  ];
}

export function paramsOf(report: Report): Record<string, string> {
  return {
    run_id: report.evaluation.uid,
    phase: report.evaluation.name,
    adapter_id: adapterOf(mainArm(report)),
    task_set: report.taskSet.digest,
    part: report.taskSet.part,
    tasks: String(report.taskSet.tasks),
    samples: String(report.samples),
    seed: String(report.seed),
  };
}

function adapterOf(arm: Report["arms"][number] | undefined): string {
  if (arm?.assigned) return `${arm.assigned.adapters} adapters`;
  return arm?.adapterDigest ? arm.model : "none";
}

function mainArm({ arms, gate }: Report) {
  return arms.find(({ name }) => name === gate?.candidate) ?? arms[0];
}
