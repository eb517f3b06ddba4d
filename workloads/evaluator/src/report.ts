import { evaluatorJob } from "@rune/crds/contracts/evaluator";
import { clusterOf, type HeldOutTask } from "@rune/crds/contracts/task-set";
import { costs } from "@rune/crds/fields/measured";
import { sampling } from "@rune/crds/fields/sampling";
import { parts } from "@rune/crds/fields/task-set";
import { z } from "zod";
import type { Facts } from "./adapters.ts";
import { type Arm, modelFor } from "./arms.ts";
import { effectiveClusters } from "./intervals.ts";
import { type ArmResults, costsOf, countedTasks, type Measured, resultsOf, round, rounded } from "./results.ts";
import { seenTasks } from "./seen.ts";
import { meanPassAtK, passAt1 } from "./statistics.ts";
import { comparisonOf, contrastsOf, decide } from "./verdict.ts";

const estimate = z.object({ estimate: z.number(), lower: z.number(), upper: z.number() });
const verdict = z.object({ verdict: z.enum(["Passed", "Failed", "Inconclusive"]), why: z.string() });
const comparison = z.object({ candidate: z.string(), baseline: z.string(), delta: estimate, differing: z.number() });
const control = z.enum(["WrongTrajectory", "Mean", "Random", "Zero"]);

const arm = z.object({
  name: z.string(),
  /** served name of the model; the base's in an arm with one adapter per task */
  model: z.string(),
  base: z.string(),
  adapterDigest: z.string().optional(),
  control: control.optional(),
  generated: z.boolean().optional(),
  /**
   * in an arm with one adapter per task: the number of adapters, the tasks that have one, and those that the base
   * answered
   */
  assigned: z.object({ adapters: z.number(), tasks: z.number(), unassigned: z.number() }).optional(),
  /** experience as text: source artifacts, and the tasks for which none fitted or applied */
  context: z.object({ pick: z.string(), as: z.string(), maxTokens: z.number(), artifacts: z.number(), untold: z.number() }).optional(),
  /** the trainer's statistics, their mean for an arm with several adapters */
  training: z.record(z.string(), z.number()).optional(),
  /** fraction of programs that passed, with its interval over tasks */
  passAt1: estimate,
  /** by k */
  passAtK: z.record(z.string(), z.number()),
  outcomes: z.record(z.string(), z.number()),
  costs,
});

/** `report.json`: the numbers of one evaluation, and all that is needed to recompute them from `samples.jsonl`. */
export const report = z.object({
  schema: z.literal("rune.dev/report/v1"),
  evaluation: z.object({ namespace: z.string(), name: z.string(), uid: z.string() }),
  taskSet: z.object({
    repository: z.string(),
    digest: z.string(),
    part: z.enum(parts),
    /** tasks that count: judged in every arm */
    tasks: z.number(),
    clusters: z.number(),
    /** clusters of equal size with the same information */
    effectiveClusters: z.number(),
    /** tasks that count in no arm, because they could not be judged in each */
    leftOut: z.array(z.string()),
  }),
  /** the look at which the evaluation ended */
  look: z.object({ number: z.number(), of: z.number() }),
  /** tasks that adapters were trained on, and the adapters that don't name their training data */
  seen: z.object({
    tasks: z.array(z.object({ arm: z.string(), adapter: z.string(), tasks: z.array(z.string()) })),
    unknown: z.array(z.string()),
  }),
  samples: z.number(),
  sampling,
  seed: z.number(),
  arms: z.array(arm),
  /** passes of each task in each arm, in the order of clusters and ids */
  matrix: z.array(z.object({ task: z.string(), cluster: z.string().optional(), passed: z.record(z.string(), z.number()) })),
  /** gains in percentage points, paired by task, and the tasks that the two solved unequally often */
  comparisons: z.array(comparison),
  /** the arm that claims memory, less each control arm */
  contrasts: z.array(comparison.extend({ control })),
  gate: evaluatorJob.shape.gate
    .unwrap()
    .extend({
      tested: estimate,
      threshold: z.number(),
      intervalConfidence: z.number(),
      verdicts: z.object({ LowerBound: verdict, PointEstimate: verdict }),
      verdict,
      decided: z.boolean(),
      leakageSuspected: z.boolean(),
      controlsMissing: z.string().nullable(),
    })
    .optional(),
});
export type Report = z.infer<typeof report>;

/** A pure function of the measurements, without timestamps: recomputed, it has the same digest. */
export function buildReport(measured: Measured): Report {
  const { job, tasks, ledger, facts } = measured;
  const counted = countedTasks(job.arms, tasks, ledger);
  const results = job.arms.map((each) => resultsOf(each, counted, ledger));
  const baseline = results.find(({ arm }) => arm.name === job.gate?.baseline) ?? results[0];
  const taskSet = taskSetOf(measured, counted);
  const decision = decide(job, results, taskSet);
  const { namespace, name, uid } = job.owner;
  const seen = seenTasks(job, facts);
  return report.parse({
    schema: "rune.dev/report/v1",
    evaluation: { namespace, name, uid },
    taskSet,
    look: job.look,
    seen: { tasks: seen.seen, unknown: seen.unknown },
    samples: job.samples,
    sampling: job.sampling,
    seed: job.seed,
    arms: results.map((each) => armOf(measured, each)),
    matrix: matrixOf(counted, results),
    comparisons: results.flatMap((candidate) => (baseline && candidate !== baseline ? [comparisonOf(candidate, baseline)] : [])),
    contrasts: contrastsOf(job, results),
    gate: job.gate && decision && { ...job.gate, ...decision },
  });
}

/** `samples.jsonl`: every program that was judged, in the order of arms and tasks, with the model that wrote it. */
export function sampleLines({ job, tasks, ledger }: Measured): string {
  const lines = job.arms.flatMap((each) =>
    tasks.flatMap(({ id }) =>
      (ledger.judged(each.name, id) ?? []).map(({ program, execution }, sample) =>
        JSON.stringify({ arm: each.name, taskId: id, model: modelFor(each, id), sample, program, execution }),
      ),
    ),
  );
  return lines.map((line) => `${line}\n`).join("");
}

function taskSetOf({ job, tasks }: Measured, counted: readonly HeldOutTask[]): Report["taskSet"] {
  const { repository, digest, part } = job.taskSet;
  const clusters = counted.map(clusterOf);
  const kept = new Set(counted);
  return {
    repository,
    digest,
    part,
    tasks: counted.length,
    clusters: new Set(clusters).size,
    effectiveClusters: round(effectiveClusters(clusters)),
    leftOut: tasks.filter((task) => !kept.has(task)).map(({ id }) => id),
  };
}

function armOf(measured: Measured, { arm, scores, samples }: ArmResults): z.input<typeof report>["arms"][number] {
  const most = Math.min(...scores.map((score) => score.samples));
  const ks = [...new Set([1, 5, 10, measured.job.samples])].filter((k) => k <= most).sort((a, b) => a - b);
  return {
    name: arm.name,
    model: arm.model.name,
    base: arm.model.base,
    adapterDigest: arm.adapterDigest,
    control: arm.control,
    generated: arm.generated,
    assigned: assignedOf(arm, measured.tasks),
    context: contextOf(arm, measured),
    training: trainingOf(arm, measured.facts),
    passAt1: rounded(passAt1(scores)),
    passAtK: Object.fromEntries(ks.map((k) => [k, round(meanPassAtK(scores, k))])),
    outcomes: countsOf(samples.map(({ execution }) => execution.outcome)),
    costs: costsOf(arm, measured),
  };
}

function assignedOf({ assigned, adapters }: Arm, tasks: readonly HeldOutTask[]): z.input<typeof arm>["assigned"] {
  if (!assigned) return undefined;
  const having = tasks.filter(({ id }) => assigned[id] !== undefined).length;
  return { adapters: adapters.length, tasks: having, unassigned: tasks.length - having };
}

function contextOf({ name, context }: Arm, { tasks, ledger }: Measured): z.input<typeof arm>["context"] {
  if (!context) return undefined;
  const { pick, as, maxTokens, artifacts } = context;
  return { pick, as, maxTokens, artifacts: artifacts.length, untold: tasks.filter(({ id }) => !ledger.sampled(name, id)?.told).length };
}

function trainingOf({ adapters }: Arm, facts: Facts): Record<string, number> | undefined {
  const told = adapters.flatMap(({ digest }) => Object.entries(facts.get(digest)?.training ?? {}));
  if (told.length === 0) return undefined;
  const means = [...Map.groupBy(told, ([name]) => name)].map(([name, all]) => [
    name,
    all.reduce((sum, [, value]) => sum + value, 0) / all.length,
  ]);
  return Object.fromEntries(means);
}

function matrixOf(tasks: readonly HeldOutTask[], results: readonly ArmResults[]): Report["matrix"] {
  const rows = tasks.map((task, index) => ({
    task: task.id,
    cluster: task.cluster,
    passed: Object.fromEntries(results.map(({ arm, scores }) => [arm.name, scores[index]?.passed ?? 0])),
  }));
  const key = ({ cluster, task }: (typeof rows)[number]) => [cluster ?? task, task] as const;
  return rows.sort((a, b) => {
    const [[clusterA, taskA], [clusterB, taskB]] = [key(a), key(b)];
    return clusterA === clusterB ? compare(taskA, taskB) : compare(clusterA, clusterB);
  });
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function countsOf(names: readonly string[]): Record<string, number> {
  return Object.fromEntries([...Map.groupBy(names, (name) => name)].map(([name, all]) => [name, all.length]));
}
