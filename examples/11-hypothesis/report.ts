import type { Evaluation } from "@rune/crds/kinds/evaluation";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import { z } from "zod";
import { isTrue, type Seen } from "../shared/objects.ts";
import { durationLines } from "../shared/report.ts";
import type { Options } from "./options.ts";

export type EvaluationStatus = NonNullable<Evaluation["status"]>;
export type TrainingStatus = NonNullable<TrainingRun["status"]>;

const interval = z.object({ estimate: z.number(), lower: z.number(), upper: z.number() });
type Interval = z.infer<typeof interval>;
const verdict = z.object({ verdict: z.enum(["Passed", "Failed", "Inconclusive"]), why: z.string() });
/** The experiment's parts of a report's `report.json`. */
const report = z.object({
  taskSet: z.object({ digest: z.string(), tasks: z.number(), clusters: z.number() }),
  arms: z.array(z.object({ name: z.string(), passAt1: interval, costs: z.record(z.string(), z.number()) })),
  comparisons: z.array(z.object({ candidate: z.string(), delta: interval })),
  contrasts: z.array(z.object({ baseline: z.string(), delta: interval })),
  gate: z.object({ verdict, verdicts: z.object({ LowerBound: verdict, PointEstimate: verdict }) }),
});

interface Trained {
  examples: number;
  steps: number;
  seconds: number;
  loss: number;
  modeCollapse: boolean;
  metrics: Record<string, number>;
}

interface Measured {
  tasks: number;
  /** Pass@1 of each arm. */
  arms: Record<string, Interval>;
  costs: Record<string, Record<string, number>>;
  /** Each arm less the base, in percentage points, paired by task. */
  gains: Record<string, Interval>;
  /** Generated less each control arm, likewise. */
  contrasts: Record<string, Interval>;
  gate: z.infer<typeof report>["gate"];
  mlflowRunID: string | null;
}

/** The content of `out/hypothesis.json`, and the texts of the evaluation's report, which are beside it. */
export interface Result {
  options: Options;
  sessions: { total: number; solved: number };
  /** Sessions that a held-out task needs. */
  nearestSessions: number;
  training: Record<"fineTuned" | "hypernetwork" | "generated" | "mean", Trained>;
  evaluation: Measured;
  minutes: number;
  parts: Record<string, number>;
  assessment: string;
  page: string;
}

export function trainedOf(run: Seen<TrainingStatus>): Trained {
  const { result } = run.status ?? {};
  const metrics = Object.entries(result?.metrics ?? {}).map(([name, value]) => [name, Number(value)] as const);
  return {
    examples: result?.examples ?? 0,
    steps: result?.steps ?? 0,
    seconds: result?.durationSeconds ?? 0,
    loss: Number(result?.trainingLoss),
    modeCollapse: isTrue(run, "ModeCollapse"),
    metrics: Object.fromEntries(metrics.filter(([, value]) => !Number.isNaN(value))),
  };
}

/** `document` is the evaluation's `report.json`. */
export function measuredOf(evaluation: Seen<EvaluationStatus>, document: unknown): Measured {
  const { taskSet, arms, comparisons, contrasts, gate } = report.parse(document);
  return {
    tasks: taskSet.tasks,
    arms: Object.fromEntries(arms.map(({ name, passAt1 }) => [name, passAt1])),
    costs: Object.fromEntries(arms.map(({ name, costs }) => [name, costs])),
    gains: Object.fromEntries(comparisons.map(({ candidate, delta }) => [candidate, delta])),
    contrasts: Object.fromEntries(contrasts.map(({ baseline, delta }) => [baseline, delta])),
    gate,
    mlflowRunID: evaluation.status?.mlflowRunID ?? null,
  };
}

const points = ({ estimate, lower, upper }: Interval) => `${signed(estimate)} points [${signed(lower)}, ${signed(upper)}]`;
const signed = (value: number) => `${value > 0 ? "+" : ""}${value.toFixed(1)}`;
const rate = ({ estimate, lower, upper }: Interval) => `${estimate.toFixed(3)}  [${lower.toFixed(3)}, ${upper.toFixed(3)}]`;

/**
 * The final report for a person. Right minus wrong and right minus mean come before the gain over the base, which
 * proves no memory.
 */
export function story(result: Result): string {
  const { evaluation, training, sessions, minutes, parts } = result;
  const { hypernetwork } = training;
  const lines = (entries: [string, string][]) => entries.map(([name, text]) => `    ${name.padEnd(12)} ${text}`).join("\n");
  return `
  What was learnt from
    ${sessions.solved} of ${sessions.total} sessions on HumanEval's Train part were solved; the held-out tasks use ${result.nearestSessions} of them.
    Hypernetwork: ${hypernetwork.steps} steps, loss ${hypernetwork.loss.toFixed(3)}, ${hypernetwork.modeCollapse ? "ended as collapsed" : "not collapsed"}; right minus wrong ${metric(hypernetwork, "rightMinusWrong")} and right minus mean ${metric(hypernetwork, "rightMinusMean")} nats per token on held-out sessions.

  Pass@1 on ${evaluation.tasks} held-out tasks (95 % interval over tasks)
${lines(Object.entries(evaluation.arms).map(([name, value]) => [name, rate(value)]))}

  Whether it is memory: generated adapters less each control arm
${lines(Object.entries(evaluation.contrasts).map(([name, value]) => [name, points(value)]))}

  Each arm less the base
${lines(Object.entries(evaluation.gains).map(([name, value]) => [name, points(value)]))}

  Gate by the plan's rule: ${evaluation.gate.verdicts.PointEstimate.verdict}. By the lower end of the interval: ${evaluation.gate.verdicts.LowerBound.verdict}.
    So few tasks can only show a gain of twelve points or more; a smaller one can be neither shown nor excluded.
    Logged in MLflow run ${evaluation.mlflowRunID ?? "– (unreachable)"}.

${durationLines({ minutes, parts }, 22)}

  out/hypothesis/ holds every manifest that was applied and the assessment, out/hypothesis.json these figures
`;
}

const metric = ({ metrics }: Trained, name: string) => metrics[name]?.toFixed(4) ?? "unknown";

/** The evaluation's assessment as it is, followed by its data. */
export function resultPage(result: Result): string {
  const { options, training, sessions, minutes } = result;
  const rows = Object.entries(training).map(
    ([name, { examples, steps, seconds, loss, modeCollapse }]) =>
      `| ${name} | ${examples} | ${steps} | ${Math.round(seconds / 60)} | ${Number.isNaN(loss) ? "–" : loss.toFixed(4)} | ${modeCollapse ? "yes" : "no"} |`,
  );
  return `${result.assessment.trimEnd()}

## How these figures came about

\`npm run example -- hypothesis --keep${options.resume ? " --continue" : ""}\` with ${options.sessions} sessions (${sessions.solved} of them solved), ${options.heldOutTasks} held-out tasks, ${options.samples} programs each and ${options.steps} steps of the hypernetwork; ${minutes} minutes ${options.resume ? "since it was continued" : "in all"}. Every figure: [hypothesis.json](hypothesis.json).

| TrainingRun | Examples | Steps | Minutes | Loss | Collapsed |
|---|---|---|---|---|---|
${rows.join("\n")}
`;
}
