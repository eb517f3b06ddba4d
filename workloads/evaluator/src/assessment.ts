import { suspiciousPoints } from "./gate.ts";
import type { Estimate } from "./intervals.ts";
import type { Ledger } from "./ledger.ts";
import type { Report } from "./report.ts";

type Arm = Report["arms"][number];
type Comparison = Report["comparisons"][number];
const mostTasks = 12;
const mostErrors = 5;

/** `assessment.md`: what was compared, what came out, what was learnt, and how far to trust it; for a person who reads only this. */
export function assessment(report: Report, ledger: Ledger): string {
  const sections = [
    title(report),
    compared(report),
    numbers(report),
    gate(report),
    changes(report),
    errors(report, ledger),
    caveats(report),
  ];
  return `${sections.filter(Boolean).join("\n\n")}\n`;
}

function title({ evaluation, gate }: Report): string {
  const ends = { Passed: "the gate passed", Failed: "the gate failed", Inconclusive: "nothing was decided" };
  return `# ${evaluation.name}: ${gate ? ends[gate.verdict.verdict] : "what each arm can do"}`;
}

function compared({ arms, taskSet, samples }: Report): string {
  const names = arms.map(
    ({ name, model, adapterDigest }) => `**${name}** (${adapterDigest ? `adapter \`${model}\`` : `base model \`${model}\` alone`})`,
  );
  const clusters = taskSet.clusters < taskSet.tasks ? `, which come in ${taskSet.clusters} groups that stand or fall together` : "";
  const { leftOut } = taskSet;
  const out =
    leftOut.length > 0
      ? ` ${plural(leftOut.length, "task")} more could not be judged in every arm and ${leftOut.length === 1 ? "counts" : "count"} in none${some(leftOut.map((id) => `\`${id}\``))}.`
      : "";
  return `${listed(names)} ${arms.length > 1 ? "each " : ""}answered the same ${taskSet.tasks} held-out tasks${clusters}, with ${plural(samples, "program")} per task. A program counts when the task's own tests pass, in a sandbox that was proven to be isolated.${out}`;
}

function numbers({ arms, comparisons }: Report): string {
  const ks = Object.keys(arms[0]?.passAtK ?? {}).filter((k) => k !== "1");
  const head = ["Arm", "Pass@1", "95 % interval", ...ks.map((k) => `Pass@${k}`)];
  const rows = arms.map(({ name, passAt1, passAtK }) => [
    name,
    percent(passAt1.estimate),
    `${percent(passAt1.lower)} to ${percent(passAt1.upper)}`,
    ...ks.map((k) => (passAtK[k] === undefined ? "–" : percent(passAtK[k]))),
  ]);
  const gains = comparisons.map(
    ({ candidate, baseline, delta }) =>
      `- **${candidate}** against **${baseline}**: ${points(delta.estimate)} points, ${intervalOf(delta)}`,
  );
  return ["## The numbers", table([head, ...rows]), gains.length > 0 ? `Gains, paired by task:\n\n${gains.join("\n")}` : ""]
    .filter(Boolean)
    .join("\n\n");
}

function gate({ gate }: Report): string {
  if (!gate) return "";
  const { rule, thresholdPoints, verdict, verdicts } = gate;
  const other = rule === "LowerBound" ? "PointEstimate" : "LowerBound";
  const words = { Passed: "passes", Failed: "fails", Inconclusive: "stays undecided" };
  const otherwise =
    verdicts[other].why === verdict.why
      ? "it comes out the same, for the same reason"
      : `it ${verdicts[other].verdict === verdict.verdict ? "would come out the same" : `would have come out otherwise (${verdicts[other].verdict})`}: ${verdicts[other].why}`;
  return [
    "## The verdict",
    `**${gate.candidate}** had to gain ${thresholdPoints} points over **${gate.baseline}**. By the rule \`${rule}\` it ${words[verdict.verdict]}: ${verdict.why}.`,
    `By the rule \`${other}\` ${otherwise}.`,
  ].join("\n\n");
}

function changes(report: Report): string {
  const comparison = mainComparison(report);
  if (!comparison) return "";
  const [after, before] = [armNamed(report, comparison.candidate), armNamed(report, comparison.baseline)];
  if (!after || !before) return "";
  const moved = Object.keys(after.passed).map((id) => ({ id, from: before.passed[id] ?? 0, to: after.passed[id] ?? 0 }));
  const gained = moved.filter(({ from, to }) => to > from).sort((a, b) => b.to - b.from - (a.to - a.from) || order(a.id, b.id));
  const lost = moved.filter(({ from, to }) => to < from).sort((a, b) => a.to - a.from - (b.to - b.from) || order(a.id, b.id));
  const never = moved.filter(({ from, to }) => from + to === 0).sort((a, b) => order(a.id, b.id));
  const show = ({ id, from, to }: (typeof moved)[number]) => `\`${id}\` (${from} → ${to})`;
  return [
    "## What changed",
    `From **${before.name}** to **${after.name}**, of ${report.samples} each:`,
    [
      `- ${plural(gained.length, "task")} gained${some(gained.map(show))}`,
      `- ${plural(lost.length, "task")} lost${some(lost.map(show))}`,
      `- ${plural(never.length, "task")} that neither solved${some(never.map(({ id }) => `\`${id}\``))}`,
    ].join("\n"),
  ].join("\n\n");
}

function errors(report: Report, ledger: Ledger): string {
  const arm = mainComparison(report)?.candidate ?? report.arms[0]?.name ?? "";
  const failed = Object.keys(armNamed(report, arm)?.passed ?? {})
    .flatMap((id) => ledger.judged(arm, id) ?? [])
    .filter(({ execution }) => !execution.passed);
  if (failed.length === 0) return `## What is left to learn\n\nEvery program of **${arm}** passed; only harder tasks could tell more.`;
  const kinds = [...Map.groupBy(failed, ({ execution }) => kindOf(execution.outcome, execution.error))].sort(
    ([a, some], [b, others]) => others.length - some.length || order(a, b),
  );
  const lines = kinds.slice(0, mostErrors).map(([kind, all]) => `- ${all.length} × ${kind}`);
  const rest = kinds.slice(mostErrors).reduce((sum, [, all]) => sum + all.length, 0);
  return [
    `## What is left to learn`,
    `${plural(failed.length, "program")} of **${arm}** failed, most often so:`,
    [...lines, ...(rest > 0 ? [`- ${rest} × something else`] : [])].join("\n"),
  ].join("\n\n");
}

function caveats(report: Report): string {
  const { taskSet, gate, comparisons } = report;
  const largest = Math.max(...comparisons.map(({ delta }) => delta.estimate), 0);
  return [
    "## How far to trust this",
    [
      gate?.leakageSuspected || largest > suspiciousPoints
        ? `- **Leakage suspected**: a gain of more than ${suspiciousPoints} points is more often a leak of the tasks than a success. Before it is believed, run the control arms: the baseline against itself, an adapter learnt from other sessions, and one learnt from the wrong ones.`
        : "",
      taskSet.clusters < 30
        ? `- ${taskSet.clusters} ${taskSet.clusters < taskSet.tasks ? "groups of tasks" : "tasks"} are few: an interval of so few trusts that those which weren't drawn are like these.`
        : "",
      comparisons.length > 1
        ? `- ${comparisons.length} gains are told, each with an interval of its own: that one of them misses the truth is likelier than 5 %. Only the one that was chosen beforehand decides.`
        : "",
      "- The intervals speak of other tasks of this kind, drawn as these were. They say nothing about tasks of another kind.",
      "- Each gate spends its tasks: an adapter that was chosen by looking at these results needs fresh ones.",
      `- Every program stands in \`samples.jsonl\`; all numbers can be computed from it again. Task set: \`${taskSet.repository}@${taskSet.digest}\`.`,
    ]
      .filter(Boolean)
      .join("\n"),
  ].join("\n\n");
}

/** The comparison that the gate is about, or the first. */
function mainComparison({ gate, comparisons }: Report): Comparison | undefined {
  return comparisons.find(({ candidate }) => candidate === gate?.candidate) ?? comparisons[0];
}

function armNamed({ arms }: Report, name: string): Arm | undefined {
  return arms.find((arm) => arm.name === name);
}

/** An error with what is particular to one program left out, so that its like are counted together. */
function kindOf(outcome: string, error: string): string {
  const line = error.split("\n").findLast((part) => part.trim() !== "") ?? "";
  const general = line
    .replace(/^(\w+: )?\w+\(.*\) returned .*, expected .*$/s, "$1a wrong answer")
    .replace(/'[^']*'/g, "'…'")
    .replace(/`/g, "'")
    .slice(0, 160);
  return general ? `${outcome}: \`${general}\`` : outcome;
}

function some(items: readonly string[]): string {
  if (items.length === 0) return "";
  const more = items.length > mostTasks ? ` and ${items.length - mostTasks} more` : "";
  return `: ${items.slice(0, mostTasks).join(", ")}${more}`;
}

function table([head = [], ...rows]: string[][]): string {
  return [head, head.map((_, column) => (column === 0 ? "---" : "---:")), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function listed(items: readonly string[]): string {
  return items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`;
}

const order = (a: string, b: string) => (a < b ? -1 : 1);
const plural = (count: number, noun: string) => `${count} ${noun}${count === 1 ? "" : "s"}`;
const percent = (fraction: number) => `${(100 * fraction).toFixed(1)} %`;
const points = (value: number) => `${value > 0 ? "+" : ""}${value.toFixed(1)}`;
const intervalOf = ({ lower, upper }: Estimate) => `95 % interval ${points(lower)} to ${points(upper)}`;
