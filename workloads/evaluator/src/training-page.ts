import { type Curve, type Line, linePlot } from "./charts.ts";
import { figure, html } from "./document.ts";
import { plural } from "./format.ts";
import type { Report } from "./report.ts";

type Shown = NonNullable<Report["curves"]>["shown"][number];

/** Training statistics that are shown, with their displayed names. */
const trainingNames: Readonly<Record<string, string>> = {
  trainingLoss: "Training loss",
  deltaWNorm: "‖ΔW‖",
  relativeNorm: "Largest relative ‖ΔW‖ of a layer",
  cosineDiversity: "Cosine diversity",
  varianceRatio: "Variance ratio",
  effectiveRank: "Effective rank",
  behaviourDistance: "Behaviour distance",
  rightMinusWrong: "Right minus wrong loss",
  rightMinusMean: "Right minus mean loss",
  retainedEnergy: "Retained energy",
  relativeErrorToExactSum: "Relative error to the exact sum",
  distinctTasks: "Distinct tasks",
  failureModes: "Classes of errors",
  corrections: "Distinct corrections",
  droppedPercent: "Examples too long, %",
};

/** A plot of what was measured at checkpoints. */
type Plot = { name: string; title: string; caption: string; lines?: readonly Line[] };
const plots: readonly Plot[] = [
  {
    name: "cosineDiversity",
    title: "Cosine diversity at each checkpoint",
    caption: "1 − the mean cosine of the adapters of different trajectories: near 0 they are all the same.",
  },
  {
    name: "rightMinusWrong",
    title: "Right minus wrong loss at each checkpoint",
    caption:
      "By how much another trajectory's adapter is worse on trajectories that weren't trained on, in nats per token: at 0 nothing was remembered.",
    lines: [{ at: 0, label: "no difference" }],
  },
  { name: "deltaWNorm", title: "‖ΔW‖ at each checkpoint", caption: "The size of the change of all weights together." },
];

/** What the arms' adapters were made with, where their artifacts contain it: the last figures, and how they came about. */
export function training(report: Report): string {
  const shown = table(report) + curves(report);
  return shown === "" ? "" : `<h3>How its adapters were made</h3>${shown}<h3>Tokens and time</h3>`;
}

function table({ arms }: Report): string {
  const told = arms.flatMap(({ name, training }) => (training ? [{ name, training }] : []));
  const known = Object.entries(trainingNames).filter(([key]) => told.some(({ training }) => training[key] !== undefined));
  if (known.length === 0) return "";
  const rows = told.map(({ name, training }) => [name, ...known.map(([key]) => figureOf(training[key]))]);
  return html([{ table: [["Arm", ...known.map(([, words]) => words)], ...rows] }]);
}

/** What every training measured only once stands in the table alone. */
function curves(report: Report): string {
  const { shown = [], more = 0 } = report.curves ?? {};
  const left = more > 0 ? ` ${plural(more, "training")} more ${more === 1 ? "isn't" : "aren't"} shown.` : "";
  const drawn = (pointsOf: (curve: Shown) => Curve["points"], { title, caption, lines = [] }: Omit<Plot, "name">) => {
    const lineOf = (curve: Shown): Curve => ({ label: labelOf(curve), tone: toneOf(curve, report), points: pointsOf(curve) });
    const all = shown.map(lineOf).filter(({ points }) => points.length > 0);
    if (!all.some(({ points }) => points.length > 1)) return "";
    return figure(linePlot({ title, description: `${all.map(inWords).join("; ")}.`, curves: all, lines }), `${title}. ${caption}${left}`);
  };
  return [
    drawn(({ loss }) => loss.map(({ step, loss }) => [step, loss] as const), {
      title: "Training loss by step",
      caption: "Each point is the mean since the one before.",
    }),
    ...plots.map(({ name, ...plot }) =>
      drawn(
        ({ checkpoints }) =>
          checkpoints.flatMap(({ step, measured }) => (measured[name] === undefined ? [] : [[step, measured[name]] as const])),
        plot,
      ),
    ),
  ].join("");
}

function labelOf({ trained, arms, adapters, first }: Shown): string {
  const what = trained === "Hypernetwork" ? `hypernetwork of ${plural(adapters, "adapter")}` : first;
  return `${arms.join(", ")}: ${what}`;
}

function toneOf({ arms }: Shown, report: Report): Curve["tone"] {
  if (arms.some((name) => name === report.gate?.candidate)) return "main";
  return report.arms.every(({ name, control }) => control || !arms.includes(name)) ? "control" : "plain";
}

function inWords({ label, points }: Curve): string {
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last || first === last) return `${label}: ${figureOf(last?.[1])} after step ${last?.[0]}`;
  return `${label}: from ${figureOf(first[1])} at step ${first[0]} to ${figureOf(last[1])} at step ${last[0]}`;
}

function figureOf(value: number | undefined): string {
  return value === undefined ? "–" : String(Number(value.toPrecision(4)));
}
