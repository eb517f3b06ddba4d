import { canonicalJSON } from "@rune/clients/digest";
import type { Mlflow } from "@rune/clients/mlflow";
import type { Registry } from "@rune/clients/registry";
import { mediaType } from "@rune/crds/artifact";
import type { EvaluatorJob } from "@rune/crds/job-spec";
import type { Report } from "./report.ts";

/** Stores the report; equal reports have one digest. */
export async function publishReport(
  registry: Pick<Registry, "push">,
  job: EvaluatorJob,
  report: Report,
  texts: { assessment: string; samples: string },
) {
  const file = (title: string, bytes: Uint8Array) => ({ title, mediaType: mediaType.reportFile, bytes });
  const { repository, digest } = await registry.push({
    repository: job.report.repository,
    artifactType: mediaType.report,
    config: {},
    configMediaType: mediaType.empty,
    files: [
      file("report.json", canonicalJSON(report)),
      file("assessment.md", Buffer.from(texts.assessment)),
      file("samples.jsonl", Buffer.from(texts.samples)),
    ],
    tag: `evaluation-${job.owner.uid}`,
  });
  return { repository, digest };
}

const uidTag = "rune.evaluation.uid";

/** Tells the experiment tracker, in a run of its own that a second attempt goes on with. Gives the run's ID, or nothing: it never fails an evaluation. */
export async function trackReport(mlflow: Mlflow, experiment: string, report: Report, assessment: string): Promise<string | undefined> {
  try {
    const { uid, name } = report.evaluation;
    const run =
      (await mlflow.findRun({ experiment, tag: uidTag, value: uid })) ??
      (await mlflow.startRun({ experiment, name, tags: { [uidTag]: uid }, params: paramsOf(report) }));
    await mlflow.logMetrics(run, metricsOf(report));
    await mlflow.note(run, [noteOf(report), assessment].filter(Boolean).join("\n\n"));
    await mlflow.endRun(run);
    return run.runID;
  } catch (error) {
    console.error(
      JSON.stringify({ level: "warn", message: `the report was not tracked: ${(error as Error).message}; the evaluation goes on without` }),
    );
    return undefined;
  }
}

/** The plan's words for the gate's end. */
export function noteOf({ gate }: Report): string {
  if (!gate) return "";
  return { Passed: "Gate PASSED", Failed: "Gate FAILED — reassessing", Inconclusive: "Gate INCONCLUSIVE" }[gate.verdict.verdict];
}

/** `pass_at_1` is that of the gate's candidate, or of the first arm; each arm's own stands beside it. */
export function metricsOf(report: Report): Record<string, number> {
  const { arms, comparisons } = report;
  return {
    pass_at_1: mainArm(report)?.passAt1.estimate ?? Number.NaN,
    ...Object.fromEntries(arms.map(({ name, passAt1 }) => [`pass_at_1.${name}`, passAt1.estimate])),
    ...Object.fromEntries(
      comparisons.flatMap(({ candidate, delta }) => [
        [`delta_points.${candidate}`, delta.estimate],
        [`delta_points_lower.${candidate}`, delta.lower],
        [`delta_points_upper.${candidate}`, delta.upper],
      ]),
    ),
  };
}

export function paramsOf(report: Report): Record<string, string> {
  const arm = mainArm(report);
  return {
    run_id: report.evaluation.uid,
    phase: report.evaluation.name,
    adapter_id: arm?.adapterDigest ? arm.model : "none",
    task_set: report.taskSet.digest,
    tasks: String(report.taskSet.tasks),
    samples: String(report.samples),
    seed: String(report.seed),
  };
}

function mainArm({ arms, gate }: Report) {
  return arms.find(({ name }) => name === gate?.candidate) ?? arms[0];
}
