import { PodFailure } from "@rune/clients/pod";
import { clusterOf, type HeldOutTask } from "@rune/crds/artifact";
import { sampling } from "@rune/crds/common";
import { type EvaluatorJob, evaluatorJob, exit } from "@rune/crds/job-spec";
import { z } from "zod";
import { judge, suspiciousPoints } from "./gate.ts";
import { type Estimate, effectiveClusters } from "./intervals.ts";
import type { Ledger, Sample } from "./ledger.ts";
import { meanPassAtK, pairedGain, passAt1, type TaskScore } from "./statistics.ts";

const estimate = z.object({ estimate: z.number(), lower: z.number(), upper: z.number() });
const verdict = z.object({ verdict: z.enum(["Passed", "Failed", "Inconclusive"]), why: z.string() });

/** `report.json`: the numbers of one evaluation, and all that is needed to compute them again from `samples.jsonl`. */
export const report = z.object({
  schema: z.literal("rune.dev/report/v1"),
  evaluation: z.object({ namespace: z.string(), name: z.string(), uid: z.string() }),
  taskSet: z.object({
    repository: z.string(),
    digest: z.string(),
    /** tasks that count: judged in every arm */
    tasks: z.number(),
    clusters: z.number(),
    /** clusters of equal size that would tell as much */
    effectiveClusters: z.number(),
    /** tasks that count in no arm, because they could not be judged in each */
    leftOut: z.array(z.string()),
  }),
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
  /** gains in percentage points, paired by task, and the tasks that the two solved unequally often */
  comparisons: z.array(z.object({ candidate: z.string(), baseline: z.string(), delta: estimate, differing: z.number() })),
  gate: evaluatorJob.shape.gate
    .unwrap()
    .extend({ verdicts: z.object({ LowerBound: verdict, PointEstimate: verdict }), verdict, leakageSuspected: z.boolean() })
    .optional(),
});
export type Report = z.infer<typeof report>;

type Arm = EvaluatorJob["arms"][number];
type ArmResults = { arm: Arm; scores: readonly TaskScore[]; samples: readonly Sample[] };

/** Outcome of a program whose task's own tests can't run: it says nothing about the program. */
const testsUnusable: string = "TestsUnusable";

/** Pass@1 of one arm, from what its log holds. The same numbers stand in the report. Throws PodFailure where no task can be judged. */
export function armEstimate({ arms }: EvaluatorJob, name: string, tasks: readonly HeldOutTask[], ledger: Ledger): Estimate {
  const arm = arms.filter((each) => each.name === name);
  const counted = countedTasks(arm, tasks, ledger);
  return rounded(passAt1(arm.flatMap((each) => resultsOf(each, counted, ledger).scores)));
}

/** Whether every task of every arm was judged. */
export function isComplete(job: EvaluatorJob, tasks: readonly HeldOutTask[], ledger: Ledger): boolean {
  return job.arms.every(({ name }) => tasks.every((task) => ledger.judged(name, task.id)));
}

/** A pure function of job, tasks and log, without times: computed again, it has the same digest. */
export function buildReport(job: EvaluatorJob, tasks: readonly HeldOutTask[], ledger: Ledger): Report {
  const counted = countedTasks(job.arms, tasks, ledger);
  const results = job.arms.map((arm) => resultsOf(arm, counted, ledger));
  const baseline = results.find(({ arm }) => arm.name === job.gate?.baseline) ?? results[0];
  const comparisons = results.flatMap((candidate) => (baseline && candidate !== baseline ? [comparisonOf(candidate, baseline)] : []));
  const clusters = counted.map(clusterOf);
  const kept = new Set(counted);
  const { namespace, name, uid } = job.owner;
  const { repository, digest } = job.taskSet;
  const taskSet = {
    repository,
    digest,
    tasks: counted.length,
    clusters: new Set(clusters).size,
    effectiveClusters: round(effectiveClusters(clusters)),
    leftOut: tasks.filter((task) => !kept.has(task)).map(({ id }) => id),
  };
  return report.parse({
    schema: "rune.dev/report/v1",
    evaluation: { namespace, name, uid },
    taskSet,
    samples: job.samples,
    sampling: job.sampling,
    seed: job.seed,
    arms: results.map((each) => armOf(job, each, counted)),
    comparisons,
    gate: gateOf(job, taskSet, comparisons, results),
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

function armOf(job: EvaluatorJob, { arm, scores, samples }: ArmResults, tasks: readonly HeldOutTask[]) {
  const most = Math.min(...scores.map((score) => score.samples));
  const ks = [...new Set([1, 5, 10, job.samples])].filter((k) => k <= most).sort((a, b) => a - b);
  return {
    name: arm.name,
    model: arm.model.name,
    base: arm.model.base,
    adapterDigest: arm.adapterDigest,
    passAt1: rounded(passAt1(scores)),
    passAtK: Object.fromEntries(ks.map((k) => [k, round(meanPassAtK(scores, k))])),
    passed: Object.fromEntries(tasks.map((task, index) => [task.id, scores[index]?.passed ?? 0])),
    outcomes: countsOf(samples.map(({ execution }) => execution.outcome)),
  };
}

function comparisonOf(candidate: ArmResults, baseline: ArmResults): Report["comparisons"][number] {
  const pairs = candidate.scores.map((score, index) => ({
    cluster: score.cluster,
    candidate: rateOf(score),
    baseline: rateOf(baseline.scores[index] as TaskScore),
  }));
  return {
    candidate: candidate.arm.name,
    baseline: baseline.arm.name,
    delta: rounded(pairedGain(pairs)),
    differing: pairs.filter((pair) => pair.candidate !== pair.baseline).length,
  };
}

function gateOf(
  { gate }: EvaluatorJob,
  { clusters, effectiveClusters }: Report["taskSet"],
  comparisons: Report["comparisons"],
  results: readonly ArmResults[],
): Report["gate"] {
  const comparison = comparisons.find(({ candidate }) => candidate === gate?.candidate);
  if (!gate || !comparison) return undefined;
  const { delta, differing } = comparison;
  const both = results.filter(({ arm }) => arm.name === gate.candidate || arm.name === gate.baseline);
  const passed = both.flatMap(({ samples }) => samples).filter(({ execution }) => execution.passed).length;
  const same = new Set(both.map(({ arm }) => `${arm.model.url} ${arm.model.name}`)).size === 1;
  const evidence = { delta, clusters, effectiveClusters, passed, differing, same };
  const verdicts = {
    LowerBound: judge({ ...gate, rule: "LowerBound" }, evidence),
    PointEstimate: judge({ ...gate, rule: "PointEstimate" }, evidence),
  };
  return { ...gate, verdicts, verdict: verdicts[gate.rule], leakageSuspected: delta.estimate > suspiciousPoints };
}

/** Tasks that these arms can be compared by: each has programs of every one of them, and no arm found its tests unusable. */
function countedTasks(arms: readonly Arm[], tasks: readonly HeldOutTask[], ledger: Ledger): HeldOutTask[] {
  const samplesOf = (task: HeldOutTask) => arms.map(({ name }) => ledger.judged(name, task.id) ?? []);
  const counted = tasks.filter((task) =>
    samplesOf(task).every((samples) => samples.length > 0 && samples.every(({ execution }) => execution.outcome !== testsUnusable)),
  );
  if (counted.length > 0) return counted;
  throw new PodFailure(
    exit.badInput,
    testsUnusable,
    `the tests of none of ${tasks.length} tasks can run; correct them, push the task set again, and name its digest in a new evaluation`,
  );
}

function resultsOf(arm: Arm, tasks: readonly HeldOutTask[], ledger: Ledger): ArmResults {
  const all = tasks.map((task) => ({ task, samples: ledger.judged(arm.name, task.id) ?? [] }));
  const scores = all.map(({ task, samples }) => ({
    cluster: clusterOf(task),
    samples: samples.length,
    passed: samples.filter(({ execution }) => execution.passed).length,
  }));
  return { arm, scores, samples: all.flatMap(({ samples }) => samples) };
}

const rateOf = ({ passed, samples }: TaskScore) => passed / samples;

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
