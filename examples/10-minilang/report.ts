import type { Evaluation } from "@rune/crds/kinds/evaluation";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import { z } from "zod";
import { condition, type Seen } from "../shared/objects.ts";
import { claimLines, durationLines } from "../shared/report.ts";
import type { Options } from "./options.ts";

export type EvaluationStatus = NonNullable<Evaluation["status"]>;
export type TrainingStatus = NonNullable<TrainingRun["status"]>;

/** Estimate and the ends of its 95 % interval. */
interface Rate {
  estimate: number;
  ci: [number, number];
}

interface Measured {
  /** Pass@1 of each arm. */
  arms: Record<string, Rate>;
  /** Each arm less the baseline, in percentage points, paired by task. */
  gains: Record<string, Rate>;
  verdict: string | null;
  tasks: number;
  clusters: number;
  reason: string;
}

interface Trained {
  steps: number;
  loss: number;
  modeCollapse: boolean;
  metrics: Record<string, number>;
}

/** The content of `out/minilang.json`. `checks` contains whether it is as it should be. */
export interface Result {
  quick: boolean;
  memory: Measured;
  /** Generated less the control arms, in percentage points, paired by task. */
  contrasts: Record<string, Rate>;
  shuffled: Measured;
  merge: Measured;
  hypernetwork: Trained;
  shuffledHypernetwork: Trained;
  checks: Record<string, boolean>;
  minutes: number;
  parts: Record<string, number>;
}

const ends = z.object({ estimate: z.number(), lower: z.number(), upper: z.number() });
/** Parts of a report's `report.json` that are not in the status. */
const report = z.object({ contrasts: z.array(z.object({ baseline: z.string(), delta: ends })) });

/** The candidate less each control arm. */
export function contrastsIn(document: unknown): Record<string, Rate> {
  const found = report.parse(document).contrasts;
  return Object.fromEntries(found.map(({ baseline, delta: { estimate, lower, upper } }) => [baseline, { estimate, ci: [lower, upper] }]));
}

export function measuredOf(evaluation: Seen<EvaluationStatus>): Measured {
  const { arms = [], comparisons = [], taskSet, verdict } = evaluation.status ?? {};
  return {
    arms: Object.fromEntries(arms.flatMap(({ name, passAt1 }) => (passAt1 ? [[name, rateOf(passAt1)]] : []))),
    gains: Object.fromEntries(comparisons.map(({ candidate, delta }) => [candidate, rateOf(delta)])),
    verdict: verdict ?? null,
    tasks: taskSet?.tasks ?? 0,
    clusters: taskSet?.clusters ?? 0,
    reason: condition(evaluation, "GatePassed")?.message ?? "",
  };
}

function rateOf({ estimate, lower, upper }: { estimate: string; lower: string; upper: string }): Rate {
  return { estimate: Number(estimate), ci: [Number(lower), Number(upper)] };
}

export function trainedOf(run: Seen<TrainingStatus>): Trained {
  const { result } = run.status ?? {};
  const metrics = Object.entries(result?.metrics ?? {}).map(([name, value]) => [name, Number(value)]);
  return {
    steps: result?.steps ?? 0,
    loss: Number(result?.trainingLoss),
    modeCollapse: condition(run, "ModeCollapse")?.status === "True",
    metrics: Object.fromEntries(metrics),
  };
}

/** The laboratory's claims. */
export function checksOf(result: Omit<Result, "checks" | "minutes" | "parts">, { gainPoints }: Options): Record<string, boolean> {
  const { memory, shuffled, merge, hypernetwork, shuffledHypernetwork } = result;
  const pass = (measured: Measured, arm: string) => measured.arms[arm]?.estimate ?? Number.NaN;
  const merged = pass(merge, "merged");
  return {
    [`generated adapters gain ${gainPoints} points or more over the base (lower end)`]: (memory.gains.generated?.ci[0] ?? 0) >= gainPoints,
    [`right adapters beat wrong ones by ${gainPoints} points or more`]:
      100 * (pass(memory, "generated") - pass(memory, "wrong")) >= gainPoints,
    "the mean adapter is not above the base": (memory.gains.mean?.ci[0] ?? Number.NaN) <= 0,
    "the context arm was measured": "context" in memory.arms,
    "the gate passed": memory.verdict === "Passed",
    "the hypernetwork did not collapse": !hypernetwork.modeCollapse,
    "trained on shuffled sessions it did": shuffledHypernetwork.modeCollapse,
    "the gate of the shuffled one did not pass": shuffled.verdict !== null && shuffled.verdict !== "Passed",
    "the merged adapter beats both its parents and their mean": ["first", "second", "mean"].every((arm) => merged > pass(merge, arm)),
  };
}

/** The final report for a person. */
export function story(result: Result, namespace: string): string {
  const { memory, shuffled, merge, hypernetwork, shuffledHypernetwork, contrasts: less, checks, parts, minutes } = result;
  return `
  Memory in weights, on ${memory.tasks} tasks of ${memory.clusters} projects that no training saw (Pass@1, 95 % interval over projects)
${table(memory)}
${Object.entries(less)
  .map(([control, rate]) => `    generated less ${control.padEnd(10)} ${points(rate)}`)
  .join("\n")}
    gate ${memory.verdict}: ${memory.reason}

  The same pipeline, trained on sessions beside other projects' questions
${table(shuffled)}
    gate ${shuffled.verdict}: ${shuffled.reason}
    ${trained("right", hypernetwork)}
    ${trained("shuffled", shuffledHypernetwork)}

  Two adapters, each of a session that met half of a project's verbs, on ${merge.tasks} tasks that need both
${table(merge)}

${claimLines(checks)}

${durationLines({ minutes, parts })}

  Where to look next
    kubectl get rune -n ${namespace}
    kubectl describe evaluation memory -n ${namespace}
    out/minilang/ holds every manifest that was applied and the world's files, out/minilang.json these figures
`;
}

function table({ arms, gains }: Measured): string {
  const row = ([name, { estimate, ci }]: [string, Rate]) => {
    const gain = gains[name] ? `   ${points(gains[name])}` : "";
    return `    ${name.padEnd(10)} ${estimate.toFixed(3)}  [${ci[0].toFixed(3)}, ${ci[1].toFixed(3)}]${gain}`;
  };
  return Object.entries(arms).map(row).join("\n");
}

const points = ({ estimate, ci }: Rate) => `${signed(estimate)} points [${signed(ci[0])}, ${signed(ci[1])}]`;
const signed = (value: number) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;

function trained(which: string, { steps, loss, modeCollapse, metrics }: Trained): string {
  const known = Object.entries(metrics).map(([name, value]) => `${name} ${value}`);
  return `hypernetwork, ${which}: ${steps} steps, loss ${loss}, ModeCollapse ${modeCollapse}; ${known.join(", ")}`;
}
