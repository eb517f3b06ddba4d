import type { HeldOutTask } from "@rune/crds/artifact";
import { sampling } from "@rune/crds/common";
import { type EvaluatorJob, evaluatorJob } from "@rune/crds/job-spec";
import { z } from "zod";
import type { Ledger, Sample } from "./ledger.ts";
import { seeded } from "./random.ts";
import { type Estimate, judge, meanPassAtK, pairedDelta, passAt1, suspiciousPoints, type TaskScore } from "./statistics.ts";

const estimate = z.object({ estimate: z.number(), lower: z.number(), upper: z.number() });
const verdict = z.object({ verdict: z.enum(["Passed", "Failed", "Inconclusive"]), why: z.string() });

/** `report.json`: the numbers of one evaluation, and all that is needed to compute them again from `samples.jsonl`. */
export const report = z.object({
  schema: z.literal("rune.dev/report/v1"),
  evaluation: z.object({ namespace: z.string(), name: z.string(), uid: z.string() }),
  taskSet: z.object({ repository: z.string(), digest: z.string(), tasks: z.number(), clusters: z.number() }),
  samples: z.number(),
  sampling,
  seed: z.number(),
  arms: z.array(
    z.object({
      name: z.string(),
      model: z.string(),
      base: z.string(),
      adapterDigest: z.string().optional(),
      /** fraction of programs that passed, with its interval over tasks */
      passAt1: estimate,
      /** by k */
      passAtK: z.record(z.string(), z.number()),
      /** passes by task */
      passed: z.record(z.string(), z.number()),
      outcomes: z.record(z.string(), z.number()),
    }),
  ),
  /** gains in percentage points, paired by task */
  comparisons: z.array(z.object({ candidate: z.string(), baseline: z.string(), delta: estimate })),
  gate: evaluatorJob.shape.gate
    .unwrap()
    .extend({ verdicts: z.object({ LowerBound: verdict, PointEstimate: verdict }), verdict, leakageSuspected: z.boolean() })
    .optional(),
});
export type Report = z.infer<typeof report>;

type ArmResults = { name: string; byTask: ReadonlyMap<string, readonly Sample[]> };

/** Pass@1 of one arm, from what its log holds. The same numbers stand in the report. */
export function armEstimate(job: EvaluatorJob, arm: string, tasks: readonly HeldOutTask[], ledger: Ledger): Estimate {
  return rounded(passAt1(scoresOf(resultsOf(arm, tasks, ledger), tasks), seeded(job.seed, `arm ${arm}`)));
}

/** Whether every task of every arm was judged. */
export function isComplete(job: EvaluatorJob, tasks: readonly HeldOutTask[], ledger: Ledger): boolean {
  return job.arms.every(({ name }) => tasks.every((task) => ledger.judged(name, task.id)));
}

/** A pure function of job, tasks and log, without times: computed again, it has the same digest. */
export function buildReport(job: EvaluatorJob, tasks: readonly HeldOutTask[], ledger: Ledger): Report {
  const results = job.arms.map(({ name }) => resultsOf(name, tasks, ledger));
  const arms = job.arms.map((arm, index) => armOf(job, arm, results[index] as ArmResults, tasks, ledger));
  const baseline = job.gate?.baseline ?? job.arms[0]?.name ?? "";
  const comparisons = job.arms
    .filter(({ name }) => name !== baseline)
    .map(({ name }) => ({ candidate: name, baseline, delta: deltaOf(job, name, baseline, results, tasks) }));
  const { namespace, name, uid } = job.owner;
  const { repository, digest } = job.taskSet;
  return report.parse({
    schema: "rune.dev/report/v1",
    evaluation: { namespace, name, uid },
    taskSet: { repository, digest, tasks: tasks.length, clusters: new Set(tasks.map(clusterOf)).size },
    samples: job.samples,
    sampling: job.sampling,
    seed: job.seed,
    arms,
    comparisons,
    gate: gateOf(job, tasks, comparisons, results),
  });
}

/** `samples.jsonl`: every program that was judged, in the order of arms and tasks. */
export function sampleLines(job: EvaluatorJob, tasks: readonly HeldOutTask[], ledger: Ledger): string {
  const lines = job.arms.flatMap(({ name }) =>
    tasks.flatMap((task) =>
      (ledger.judged(name, task.id) ?? []).map(({ program, execution }, sample) =>
        JSON.stringify({ arm: name, taskId: task.id, sample, program, execution }),
      ),
    ),
  );
  return lines.map((line) => `${line}\n`).join("");
}

function armOf(job: EvaluatorJob, arm: EvaluatorJob["arms"][number], results: ArmResults, tasks: readonly HeldOutTask[], ledger: Ledger) {
  const scores = scoresOf(results, tasks);
  const ks = [...new Set([1, 5, 10, job.samples])].filter((k) => k <= job.samples).sort((a, b) => a - b);
  return {
    name: arm.name,
    model: arm.model.name,
    base: arm.model.base,
    adapterDigest: arm.adapterDigest,
    passAt1: armEstimate(job, arm.name, tasks, ledger),
    passAtK: Object.fromEntries(ks.map((k) => [k, round(meanPassAtK(scores, k))])),
    passed: Object.fromEntries(tasks.map((task, index) => [task.id, scores[index]?.passed ?? 0])),
    outcomes: countsOf([...results.byTask.values()].flat().map(({ execution }) => execution.outcome)),
  };
}

function gateOf(
  job: EvaluatorJob,
  tasks: readonly HeldOutTask[],
  comparisons: Report["comparisons"],
  results: readonly ArmResults[],
): Report["gate"] {
  const { gate } = job;
  const delta = comparisons.find(({ candidate }) => candidate === gate?.candidate)?.delta;
  if (!gate || !delta) return undefined;
  const passed = results
    .filter(({ name }) => name === gate.candidate || name === gate.baseline)
    .flatMap(({ byTask }) => [...byTask.values()].flat())
    .filter(({ execution }) => execution.passed).length;
  const evidence = { delta, tasks: tasks.length, passed };
  const verdicts = {
    LowerBound: judge({ ...gate, rule: "LowerBound" }, evidence),
    PointEstimate: judge({ ...gate, rule: "PointEstimate" }, evidence),
  };
  return { ...gate, verdicts, verdict: verdicts[gate.rule], leakageSuspected: delta.estimate > suspiciousPoints };
}

function deltaOf(
  job: EvaluatorJob,
  candidate: string,
  baseline: string,
  results: readonly ArmResults[],
  tasks: readonly HeldOutTask[],
): Estimate {
  const rates = (arm: string) => {
    const found = results.find(({ name }) => name === arm);
    return found ? scoresOf(found, tasks).map(({ passed, samples }) => passed / samples) : [];
  };
  const [after, before] = [rates(candidate), rates(baseline)];
  const scores = tasks.map((task, index) => ({ cluster: clusterOf(task), candidate: after[index] ?? 0, baseline: before[index] ?? 0 }));
  return rounded(pairedDelta(scores, seeded(job.seed, `delta ${candidate} ${baseline}`)));
}

function resultsOf(arm: string, tasks: readonly HeldOutTask[], ledger: Ledger): ArmResults {
  return { name: arm, byTask: new Map(tasks.map((task) => [task.id, ledger.judged(arm, task.id) ?? []])) };
}

function scoresOf({ byTask }: ArmResults, tasks: readonly HeldOutTask[]): TaskScore[] {
  return tasks.map((task) => {
    const samples = byTask.get(task.id) ?? [];
    return { cluster: clusterOf(task), samples: samples.length, passed: samples.filter(({ execution }) => execution.passed).length };
  });
}

function clusterOf(task: HeldOutTask): string {
  return task.cluster === undefined ? `task ${task.id}` : `cluster ${task.cluster}`;
}

function countsOf(names: readonly string[]): Record<string, number> {
  return Object.fromEntries([...Map.groupBy(names, (name) => name)].map(([name, all]) => [name, all.length]));
}

function rounded({ estimate: middle, lower, upper }: Estimate): Estimate {
  return { estimate: round(middle), lower: round(lower), upper: round(upper) };
}

/** Six digits are more than any evaluation can tell apart, and the same on every machine. */
function round(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
