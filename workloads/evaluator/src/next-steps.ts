import { defaultSampling } from "@rune/clients/prompts/prompt";
import { power, smallestGain, varianceSeen } from "@rune/clients/statistics/power";
import { clustersNeeded, fewestClusters } from "@rune/crds/kinds/evaluation";
import { type Block, list } from "./document.ts";
import { grouped, listed, percent, plural, points } from "./format.ts";
import { suspiciousPoints } from "./gate.ts";
import type { Report } from "./report.ts";

type Contrast = Report["contrasts"][number];

/** What to do next, whatever the verdict. */
export function advice(report: Report): Block[] {
  const { gate } = report;
  const next = gate
    ? { Passed: afterPass, Failed: afterFail, Inconclusive: afterNothing }[gate.verdict.verdict](report)
    : withoutGate(report);
  return list([...next, rival(report)]);
}

function afterPass({ gate, contrasts }: Report): string[] {
  return [
    gate?.mode === "Smoke"
      ? "This was a smoke test. Repeat it in full, with control arms and fresh tasks, before anything depends on it."
      : `**${gate?.candidate}** may be used for tasks of this kind. The next gate needs tasks that neither it nor its choice has seen.`,
    contrasts.some(unproven)
      ? "The gain is real and isn't shown to be memory: treat it as one better adapter, and don't make one for each task."
      : "",
  ];
}

function afterFail({ contrasts, gate }: Report): string[] {
  const wrong = contrasts.find(({ control }) => control === "WrongTrajectory");
  return [
    wrong && unproven(wrong)
      ? "The wrong adapters help as much as the right ones: look at the training first (diversity, right minus wrong on held-out trajectories), and don't spend more tasks on it."
      : "",
    `Read what **${gate?.candidate}** lost and how its programs fail above: few sessions teach names and conventions well, and behaviour hardly. More distinct solved tasks help more than more epochs.`,
  ];
}

function afterNothing({ gate, taskSet, comparisons, look }: Report): string[] {
  if (!gate) return [];
  const asked = clustersNeeded(gate);
  const few = taskSet.clusters < asked || taskSet.effectiveClusters < fewestClusters;
  if (few || gate.controlsMissing)
    return [
      few ? `Take at least ${plural(asked, "independent task")}, in clusters of nearly one size; these were ${taskSet.clusters}.` : "",
      gate.controlsMissing ? "Give the next evaluation the control arms: the wrong adapters, and their mean or noise." : "",
    ];
  if (gate.tested.lower >= gate.threshold) return [`Mend what the verdict names: ${gate.verdict.why}.`];
  const delta = comparisons.find(({ candidate }) => candidate === gate.candidate)?.delta;
  if (!delta) return [];
  const beyond = gate.tested.estimate - gate.threshold;
  if (beyond <= 0)
    return [
      `What was seen doesn't reach the threshold (${points(delta.estimate)} points): a clearer answer takes a better candidate, or, to be sure of a fail, more tasks in clusters of their own.`,
    ];
  const needed = clustersFor(beyond, varianceSeen(delta, taskSet.clusters), Number(gate.confidence), look.of);
  return [
    needed === null
      ? "The gain that was seen is too near to the threshold for any number of tasks in reach."
      : `To show a gain as large as the one that was seen (${points(delta.estimate)} points) with a chance of ${percent(power)}, take about ${grouped(needed)} independent tasks; these were ${taskSet.clusters}.`,
  ];
}

const mostClusters = 100_000;
/** Fraction of answers that may be incomplete without a word about it. */
const manyCutOff = 0.05;

/** Clusters needed to show a gain this far beyond the threshold; null where that is more than any task set has. */
function clustersFor(beyond: number, variance: number, confidence: number, looks: number): number | null {
  const shows = (clusters: number) => smallestGain({ clusters, samples: 1, confidence, looks, variance }) <= beyond;
  if (!shows(mostClusters)) return null;
  let [low, high] = [2, mostClusters];
  while (high - low > Math.max(1, low / 50)) {
    const middle = Math.round((low + high) / 2);
    if (shows(middle)) high = middle;
    else low = middle;
  }
  return high;
}

function withoutGate({ comparisons }: Report): string[] {
  return comparisons.length > 0
    ? ["No gate was named beforehand, so nothing is decided: choose what to test by these numbers, and test it on fresh tasks."]
    : [];
}

/** How well the same experience would have done as text. */
function rival({ arms, gate, contrasts, taskSet }: Report): string {
  const told = arms.filter(({ context }) => context);
  const right = arms.find(({ name }) => name === (contrasts[0]?.candidate ?? gate?.candidate));
  if (told.length === 0 || !right || right.context || right.costs.promptTokens === 0) return "";
  const each = (tokens: number) => grouped(tokens / Math.max(1, taskSet.tasks + taskSet.leftOut.length));
  const rivals = told.map(
    ({ name, passAt1, costs }) => `**${name}** solved ${percent(passAt1.estimate)} with ${each(costs.promptTokens)} prompt tokens a task`,
  );
  return `As text in the prompt: ${listed(rivals)}; **${right.name}** solved ${percent(right.passAt1.estimate)} with ${each(right.costs.promptTokens)}. Where text does as well and its tokens are affordable, it is the simpler memory.`;
}

/** How far to trust it. */
export function trust(report: Report): Block[] {
  const { arms, taskSet, gate, comparisons, seen } = report;
  const largest = Math.max(...comparisons.map(({ delta }) => delta.estimate), 0);
  const leaks = seen.tasks.map(({ arm, adapter, tasks }) => `\`${adapter}\` of **${arm}** (${plural(tasks.length, "task")})`);
  return list([
    ...arms.map(byForce),
    ...arms.map((arm) => cutOff(arm, report)),
    leaks.length > 0
      ? `**Seen tasks were allowed**: what these have learnt from is measured here, so their numbers say how well they recite: ${listed(leaks.slice(0, 10))}${leaks.length > 10 ? ` and ${leaks.length - 10} more` : ""}.`
      : "",
    seen.unknown.length > 0
      ? `Adapters that don't say what they have learnt from may have seen these tasks: ${listed(seen.unknown.slice(0, 5).map((name) => `\`${name}\``))}${seen.unknown.length > 5 ? ` and ${seen.unknown.length - 5} more` : ""}.`
      : "",
    gate?.mode === "Smoke" ? "A smoke test decides on few tasks and without control arms: it is a first look, not a proof." : "",
    gate?.leakageSuspected || largest > suspiciousPoints
      ? `**Leakage suspected**: a gain of more than ${suspiciousPoints} points is more often a leak of the tasks than a success.${gate?.controlsMissing ? " The control arms that would tell are missing." : ""}`
      : "",
    taskSet.clusters < 30
      ? `${taskSet.clusters} ${taskSet.clusters < taskSet.tasks ? "groups of tasks" : "tasks"} are few: an interval of so few trusts that those which weren't drawn are like these.`
      : "",
    comparisons.length > 1
      ? `${comparisons.length} gains are told, each with an interval of its own: that one of them misses the truth is likelier than 5 %. Only the one that was chosen beforehand decides.`
      : "",
    "The intervals speak of other tasks of this kind, drawn as these were. They say nothing about tasks of another kind.",
    "Each gate spends its tasks: an adapter that was chosen by looking at these results needs fresh ones.",
    `Every program stands in \`samples.jsonl\`; all numbers can be computed from it again. Task set: \`${taskSet.repository}@${taskSet.digest}\`.`,
  ]);
}

function byForce({ name, collapsed = [] }: Report["arms"][number]): string {
  return collapsed.length > 0
    ? `**Made by force**: adapters of **${name}** are of a hypernetwork whose training ended as collapsed, so they hardly depend on what they were made of: ${listed(collapsed.map((alarm) => `\`${alarm.replaceAll("`", "'")}\``))}.`
    : "";
}

function cutOff({ name, costs }: Report["arms"][number], { taskSet, samples, sampling }: Report): string {
  const answers = samples * (taskSet.tasks + taskSet.leftOut.length);
  const { cutOff = 0 } = costs;
  return cutOff >= answers * manyCutOff
    ? `**Answers cut off**: ${grouped(cutOff)} of ${grouped(answers)} answers of **${name}** reached \`sampling.maxTokens\` (${sampling.maxTokens ?? defaultSampling.maxTokens}) or were too long for the log, so their programs are probably incomplete: give the next evaluation more tokens, or ask for shorter programs.`
    : "";
}

/** Whether right minus the control may be zero. */
const unproven = ({ delta }: Contrast) => delta.lower <= 0;
