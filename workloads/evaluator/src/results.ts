import { PodFailure } from "@rune/clients/pod/pod";
import type { EvaluatorJob } from "@rune/crds/contracts/evaluator";
import { exit } from "@rune/crds/contracts/pod";
import { clusterOf, type HeldOutTask } from "@rune/crds/contracts/task-set";
import type { Costs } from "@rune/crds/fields/measurement";
import type { Facts } from "./adapter-facts.ts";
import type { Arm } from "./arms.ts";
import type { Estimate } from "./intervals.ts";
import type { Progress, Sample } from "./progress.ts";
import { passAt1, type TaskScore } from "./statistics.ts";

/** What has been judged so far. `tasks`: those up to the job's look, in the seed's order. */
export type Judged = { job: EvaluatorJob; tasks: readonly HeldOutTask[]; ledger: Progress };
/** All inputs of a report. */
export type Measured = Judged & { facts: Facts };
/** Of the tasks that count, in their order. */
export type ArmResults = { arm: Arm; scores: readonly TaskScore[]; samples: readonly Sample[] };

/** Outcome of a program whose task's own tests can't run: it says nothing about the program. */
const testsUnusable: string = "TestsUnusable";

/** Whether every task of an arm was judged. */
export function isJudged(name: string, { tasks, ledger }: Pick<Judged, "tasks" | "ledger">): boolean {
  return tasks.every((task) => ledger.judged(name, task.id));
}

/** Whether every task of every arm was judged. */
export function isComplete(judged: Judged): boolean {
  return judged.job.arms.every(({ name }) => isJudged(name, judged));
}

/** Pass@1 of one arm, from its log. Throws PodFailure where no task can be judged. */
export function armEstimate(arm: Arm, { tasks, ledger }: Pick<Judged, "tasks" | "ledger">): Estimate {
  return rounded(passAt1(resultsOf(arm, countedTasks([arm], tasks, ledger), ledger).scores));
}

/**
 * Costs of an arm so far, without requests that were lost with their process, and without what earlier versions didn't
 * log.
 */
export function costsOf({ name }: Arm, { tasks, ledger }: Pick<Judged, "tasks" | "ledger">): Costs {
  const usages = tasks.flatMap(({ id }) => ledger.sampled(name, id)?.usage ?? []);
  const total = (value: (usage: (typeof usages)[number]) => number) => usages.reduce((sum, usage) => sum + value(usage), 0);
  return {
    promptTokens: total(({ promptTokens }) => promptTokens),
    completionTokens: total(({ completionTokens }) => completionTokens),
    engineSeconds: Math.round(total(({ seconds }) => seconds ?? 0)),
    cutOff: total(({ cutOff }) => cutOff ?? 0),
    programs: tasks.reduce((sum, { id }) => sum + new Set(ledger.judged(name, id)?.map(({ program }) => program)).size, 0),
  };
}

/** Programs of an arm that were judged. */
export function judgedPrograms({ name }: Arm, { tasks, ledger }: Pick<Judged, "tasks" | "ledger">): number {
  return tasks.reduce((sum, { id }) => sum + (ledger.judged(name, id)?.length ?? 0), 0);
}

/** Tasks by which these arms can be compared: each has programs of all arms, and no arm found its tests unusable. */
export function countedTasks(arms: readonly Arm[], tasks: readonly HeldOutTask[], ledger: Progress): HeldOutTask[] {
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

export function resultsOf(arm: Arm, tasks: readonly HeldOutTask[], ledger: Progress): ArmResults {
  const all = tasks.map((task) => ({ task, samples: ledger.judged(arm.name, task.id) ?? [] }));
  const scores = all.map(({ task, samples }) => ({
    cluster: clusterOf(task),
    samples: samples.length,
    passed: samples.filter(({ execution }) => execution.passed).length,
  }));
  return { arm, scores, samples: all.flatMap(({ samples }) => samples) };
}

export const rateOf = ({ passed, samples }: TaskScore) => passed / samples;

export function rounded({ estimate, lower, upper }: Estimate): Estimate {
  return { estimate: round(estimate), lower: round(lower), upper: round(upper) };
}

/** Six digits are more than any evaluation can resolve, and the same on every machine. */
export function round(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
