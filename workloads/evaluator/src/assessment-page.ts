import { type Arm, natureOf } from "./assessment.ts";
import { type Cell, intervalPlot, matrixPlot, type Row } from "./charts.ts";
import { type Document, escaped, figure, html } from "./document.ts";
import { interval, percent, points } from "./format.ts";
import type { Estimate } from "./intervals.ts";
import type { Report } from "./report.ts";
import { style } from "./stylesheet.ts";
import { training } from "./training-page.ts";

/** The most tasks in the matrix; the report has all. */
const mostColumns = 400;

/** `assessment.html`: the assessment with its plots, in one file without scripts or external resources. */
export function page(report: Report, { title, lead, sections }: Document): string {
  const figures: Readonly<Record<string, string>> = {
    "The numbers": arms(report) + gains(report),
    "What changed": matrix(report),
    "What it cost": training(report),
  };
  const body = sections
    .filter(({ blocks }) => blocks.length > 0)
    .map(({ heading, blocks }) => `<section><h2>${escaped(heading)}</h2>\n${figures[heading] ?? ""}${html(blocks)}</section>`);
  const { namespace, uid } = report.evaluation;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escaped(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<header><p class="kind">Evaluation in ${escaped(namespace)}</p><h1>${escaped(title)}</h1>${badge(report)}${html(lead)}</header>
${body.join("\n")}
<footer>Evaluation ${escaped(uid)}. Every number here stands in report.json, every program in samples.jsonl.</footer>
</main>
</body>
</html>
`;
}

function badge({ gate, look }: Report): string {
  if (!gate) return "";
  const words = { Passed: "Gate passed", Failed: "Gate failed", Inconclusive: "Gate inconclusive" }[gate.verdict.verdict];
  const at = look.of > 1 ? ` at look ${look.number} of ${look.of}` : "";
  return `<p class="badge ${gate.verdict.verdict.toLowerCase()}">${words}${at}</p>`;
}

function arms({ arms, gate }: Report): string {
  const rows = arms.map(({ name, passAt1, control }): Row => {
    const value = hundredfold(passAt1);
    return { label: name, value, tone: toneOf(name, control, gate?.candidate), words: percent(passAt1.estimate) };
  });
  const told = arms.map((arm) => `${arm.name} (${plain(natureOf(arm))}) ${percent(arm.passAt1.estimate)}`);
  const title = "Pass@1 of each arm with its 95 % interval";
  return figure(
    intervalPlot({ title, description: `${told.join("; ")}.`, rows, domain: [0, 100], unit: "" }),
    `${title}, in percent of the programs.`,
  );
}

function gains({ comparisons, contrasts, gate }: Report): string {
  const rows = [
    ...comparisons.map(({ candidate, baseline, delta }) => gainRow(`${candidate} − ${baseline}`, delta, candidate === gate?.candidate)),
    ...contrasts
      .filter(({ baseline, candidate }) => !comparisons.some((known) => known.candidate === candidate && known.baseline === baseline))
      .map(({ candidate, baseline, delta }): Row => ({ ...gainRow(`${candidate} − ${baseline}`, delta, false), tone: "control" })),
  ];
  if (rows.length === 0) return "";
  const threshold =
    gate && gate.maxRelativeDropPercent === undefined
      ? [{ at: gate.threshold, label: `the gate's threshold, ${gate.threshold} points` }]
      : [];
  const lines = [{ at: 0, label: "no difference" }, ...threshold];
  const ends = [...rows.flatMap(({ value }) => [value.lower, value.upper]), ...lines.map(({ at }) => at)];
  const title = "Gains in percentage points with their 95 % intervals";
  const description = `${rows.map(({ label, value, words }) => `${label}: ${words} points, ${interval(value)}`).join("; ")}.`;
  const domain = [Math.min(-5, ...ends), Math.max(5, ...ends)] as const;
  const marks =
    threshold.length > 0
      ? `The dashed lines are no difference, and the ${gate?.threshold} points that the gate asks for.`
      : "The dashed line is no difference.";
  return figure(intervalPlot({ title, description, rows, domain, unit: "", lines }), `${title}, paired by task. ${marks}`);
}

function gainRow(label: string, value: Estimate, main: boolean): Row {
  return { label, value, tone: main ? "main" : "plain", words: points(value.estimate) };
}

function matrix({ arms, matrix, samples }: Report): string {
  const shown = matrix.slice(0, mostColumns);
  const cellOf = (task: string, arm: string, passed: number): Cell => ({
    share: passed / samples,
    words: `${task}, ${arm}: ${passed} of ${samples}`,
  });
  const columns = shown.map(({ task, cluster, passed }, index) => ({
    gap: cluster === undefined ? false : cluster !== shown[index - 1]?.cluster,
    cells: arms.map(({ name }) => cellOf(task, name, passed[name] ?? 0)),
  }));
  const out = matrix.length > shown.length ? ` The first ${shown.length} of ${matrix.length} tasks are shown.` : "";
  const title = "Passes of each task in each arm";
  const description = `A row for each arm, a column for each task; a cell is filled as far as its ${samples} programs passed. The table below says the same.${out}`;
  const plot = matrixPlot({ title, description, rows: arms.map(({ name }) => name), columns });
  const table = [
    ["Task", ...arms.map(({ name }) => name)],
    ...shown.map(({ task, passed }) => [task, ...arms.map(({ name }) => String(passed[name] ?? 0))]),
  ];
  const hidden = `<details><summary>As a table</summary>${html([{ table }])}</details>`;
  return figure(plot, `${title}, of ${samples}: one column a task, tasks of a cluster side by side.${out}`, hidden);
}

function toneOf(name: string, control: Arm["control"], candidate: string | undefined): Row["tone"] {
  if (name === candidate) return "main";
  return control ? "control" : "plain";
}

const hundredfold = ({ estimate, lower, upper }: Estimate): Estimate => ({
  estimate: 100 * estimate,
  lower: 100 * lower,
  upper: 100 * upper,
});
const plain = (text: string) => text.replaceAll(/[`*]/g, "");
