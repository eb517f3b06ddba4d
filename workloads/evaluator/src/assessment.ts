import { type Block, type Document, list, paragraph } from "./document.ts";
import { alphabetical, grouped, interval, listed, percent, plural, points, some, sureness } from "./format.ts";
import { goalOf } from "./gate.ts";
import { advice, trust } from "./next-steps.ts";
import type { Progress } from "./progress.ts";
import type { Report } from "./report.ts";

export type Arm = Report["arms"][number];
const mostErrors = 5;

/**
 * What was compared, the results, what they show, what to do next and how far to trust it; for a person who reads only
 * this.
 */
export function assessment(report: Report, ledger: Progress): Document {
  return {
    title: titleOf(report),
    lead: compared(report),
    sections: [
      { heading: "The numbers", blocks: numbers(report) },
      { heading: "The verdict", blocks: verdictOf(report) },
      { heading: "Is it memory?", blocks: memory(report) },
      { heading: "What it cost", blocks: costs(report) },
      { heading: "What changed", blocks: changes(report) },
      { heading: "What is left to learn", blocks: errors(report, ledger) },
      { heading: "What to do next", blocks: advice(report) },
      { heading: "How far to trust this", blocks: trust(report) },
    ],
  };
}

export function titleOf({ evaluation, gate, seen }: Report): string {
  const ends = { Passed: "the gate passed", Failed: "the gate failed", Inconclusive: "nothing was decided" };
  const end = gate ? ends[gate.verdict.verdict] : "what each arm can do";
  const smoke = gate?.mode === "Smoke" ? ", in a smoke test" : "";
  const leak = seen.tasks.length > 0 ? ", on tasks that what it measures has learnt from" : "";
  return `${evaluation.name}: ${end}${smoke}${leak}`;
}

function compared({ arms, taskSet, samples }: Report): Block[] {
  const clusters = taskSet.clusters < taskSet.tasks ? `, which come in ${taskSet.clusters} groups that stand or fall together` : "";
  const part = taskSet.part === "All" ? "" : ` of the part ${taskSet.part}`;
  const { leftOut } = taskSet;
  const out =
    leftOut.length > 0
      ? ` ${plural(leftOut.length, "task")} more could not be judged in every arm and ${leftOut.length === 1 ? "counts" : "count"} in none${some(leftOut.map((id) => `\`${id}\``))}.`
      : "";
  return paragraph(
    `${listed(arms.map((arm) => `**${arm.name}** (${natureOf(arm)})`))} ${arms.length > 1 ? "each " : ""}answered the same ${taskSet.tasks} held-out tasks${part}${clusters}, with ${plural(samples, "program")} per task. A program counts when the task's own tests pass, in a sandbox that was proven to be isolated.${out}`,
  );
}

/** Describes the model of an arm. */
export function natureOf({ model, base, adapterDigest, assigned, context, control, generated }: Arm): string {
  const controls = { WrongTrajectory: "wrong-trajectory", Mean: "mean", Random: "noise", Zero: "zero" };
  const made = generated ? "generated " : "";
  const unassigned = assigned?.unassigned ? `; ${plural(assigned.unassigned, "task")} without one answered by the base` : "";
  const who = assigned
    ? `one of ${assigned.adapters} ${made}adapters for each task${unassigned}`
    : adapterDigest
      ? `${made}adapter \`${model}\``
      : `base model \`${base}\` alone`;
  const told = context
    ? `, told ${context.as === "Notes" ? "the notes" : "the trajectories"} of ${context.pick === "All" ? "all" : "the nearest"} sessions in at most ${context.maxTokens} tokens${context.untold > 0 ? `; before ${plural(context.untold, "task")} there was nothing to tell` : ""}`
    : "";
  return `${who}${told}${control ? `, the ${controls[control]} control` : ""}`;
}

function numbers({ arms, comparisons }: Report): Block[] {
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
      `**${candidate}** against **${baseline}**: ${points(delta.estimate)} points, 95 % interval ${interval(delta)}`,
  );
  return [{ table: [head, ...rows] }, ...(gains.length > 0 ? paragraph("Gains, paired by task:") : []), ...list(gains)];
}

function verdictOf({ gate, look }: Report): Block[] {
  if (!gate) return [];
  const { rule, verdict, verdicts, tested } = gate;
  const other = rule === "LowerBound" ? "PointEstimate" : "LowerBound";
  const words = { Passed: "passes", Failed: "fails", Inconclusive: "stays undecided" };
  const otherwise =
    verdicts[other].why === verdict.why
      ? "it comes out the same, for the same reason"
      : `it ${verdicts[other].verdict === verdict.verdict ? "would come out the same" : `would have come out otherwise (${verdicts[other].verdict})`}: ${verdicts[other].why}`;
  const goal =
    gate.maxRelativeDropPercent === undefined
      ? `had to gain ${goalOf(gate)} over **${gate.baseline}**`
      : `had to keep ${goalOf(gate)}, that of **${gate.baseline}**; what it has above that`;
  const ended =
    look.of > 1
      ? ` The evaluation ended at look ${look.number} of ${look.of}, whose interval is stricter so that all looks together keep the gate's confidence.`
      : "";
  return [
    ...paragraph(
      `**${gate.candidate}** ${goal}${gate.maxRelativeDropPercent === undefined ? "; its gain is" : " is"} ${points(tested.estimate)} points, ${sureness(gate.intervalConfidence)} interval ${interval(tested)}. By the rule \`${rule}\` it ${words[verdict.verdict]}: ${verdict.why}.${ended}`,
    ),
    ...paragraph(`By the rule \`${other}\` ${otherwise}.`),
  ];
}

function memory({ contrasts, arms, gate }: Report): Block[] {
  const right = contrasts[0]?.candidate;
  if (!right) {
    const able = arms.find((arm) => arm.name === gate?.candidate && (arm.adapterDigest || arm.assigned));
    return able
      ? paragraph(
          `There was no control arm: whether **${able.name}** remembers something of these tasks, or is one better adapter for everything, isn't known.`,
        )
      : [];
  }
  const names = { WrongTrajectory: "wrong", Mean: "mean", Random: "noise", Zero: "nothing" };
  return [
    ...paragraph("A gain over the base alone doesn't tell memory from one better adapter for everything. The control arms do:"),
    ...list(
      contrasts.map(
        ({ control, baseline, delta }) =>
          `Right minus ${names[control]} (**${right}** against **${baseline}**): ${points(delta.estimate)} points, 95 % interval ${interval(delta)}: ${meaning(control, delta)}`,
      ),
    ),
  ];
}

function meaning(control: NonNullable<Arm["control"]>, { lower, upper }: { lower: number; upper: number }): string {
  const other = {
    WrongTrajectory: "another task's adapter",
    Mean: "the mean adapter",
    Random: "noise of the same size",
    Zero: "an empty adapter",
  }[control];
  if (lower > 0) return `it helps more than ${other}`;
  if (upper < 0) return `it is worse than ${other}`;
  return `nothing shows that it helps more than ${other}`;
}

function costs({ arms, samples }: Report): Block[] {
  const head = ["Arm", "Prompt tokens", "Answer tokens", "Seconds of requests", "Programs run", "Answers cut off"];
  const rows = arms.map(({ name, costs }) => [
    name,
    grouped(costs.promptTokens),
    grouped(costs.completionTokens),
    grouped(costs.engineSeconds),
    grouped(costs.programs),
    grouped(costs.cutOff ?? 0),
  ]);
  return [
    { table: [head, ...rows] },
    ...paragraph(`A prompt is counted once for its ${plural(samples, "program")}; equal programs of a task are run once.`),
  ];
}

function changes(report: Report): Block[] {
  const { comparisons, gate, matrix, samples } = report;
  const comparison = comparisons.find(({ candidate }) => candidate === gate?.candidate) ?? comparisons[0];
  if (!comparison) return [];
  const { candidate: after, baseline: before } = comparison;
  const moved = matrix.map(({ task, passed }) => ({ task, from: passed[before] ?? 0, to: passed[after] ?? 0 }));
  const by = (change: (row: (typeof moved)[number]) => number) => (a: (typeof moved)[number], b: (typeof moved)[number]) =>
    change(b) - change(a) || alphabetical(a.task, b.task);
  const gained = moved.filter(({ from, to }) => to > from).sort(by(({ from, to }) => to - from));
  const lost = moved.filter(({ from, to }) => to < from).sort(by(({ from, to }) => from - to));
  const never = moved.filter(({ from, to }) => from + to === 0).sort(by(() => 0));
  const show = ({ task, from, to }: (typeof moved)[number]) => `\`${task}\` (${from} → ${to})`;
  return [
    ...paragraph(`From **${before}** to **${after}**, of ${samples} each:`),
    ...list([
      `${plural(gained.length, "task")} gained${some(gained.map(show))}`,
      `${plural(lost.length, "task")} lost${some(lost.map(show))}`,
      `${plural(never.length, "task")} that neither solved${some(never.map(({ task }) => `\`${task}\``))}`,
    ]),
  ];
}

function errors({ gate, comparisons, arms, matrix }: Report, ledger: Progress): Block[] {
  const arm = gate?.candidate ?? comparisons[0]?.candidate ?? arms[0]?.name ?? "";
  const failed = matrix.flatMap(({ task }) => ledger.judged(arm, task) ?? []).filter(({ execution }) => !execution.passed);
  if (failed.length === 0) return paragraph(`Every program of **${arm}** passed; only harder tasks could tell more.`);
  const kinds = [...Map.groupBy(failed, ({ execution }) => kindOf(execution.outcome, execution.error))].sort(
    ([a, some], [b, others]) => others.length - some.length || alphabetical(a, b),
  );
  const rest = kinds.slice(mostErrors).reduce((sum, [, all]) => sum + all.length, 0);
  return [
    ...paragraph(`${plural(failed.length, "program")} of **${arm}** failed, most often so:`),
    ...list([...kinds.slice(0, mostErrors).map(([kind, all]) => `${all.length} × ${kind}`), rest > 0 ? `${rest} × something else` : ""]),
  ];
}

/** An error without the details of one program, so that similar errors are counted together. */
function kindOf(outcome: string, error: string): string {
  const line = error.split("\n").findLast((part) => part.trim() !== "") ?? "";
  const general = line
    .replace(/^(\w+: )?\w+\(.*\) returned .*, expected .*$/s, "$1a wrong answer")
    .replace(/'[^']*'/g, "'…'")
    .replace(/`/g, "'")
    .slice(0, 160);
  return general ? `${outcome}: \`${general}\`` : outcome;
}
