import { smallestGain, varianceSeen } from "@rune/clients/statistics/power";
import { clustersNeeded, type Evaluation, type Gate } from "@rune/crds/kinds/evaluation";
import { ConditionType } from "@rune/crds/words/conditions";
import { isTrue, type Outcome } from "kopf-ts";
import { sameTasks } from "../shared/scope.ts";
import { missingControls } from "./controls.ts";
import type { Plan } from "./plan.ts";
import { EvaluationReason } from "./reasons.ts";

type Condition = Parameters<Outcome["condition"]>[0];

/** What is certain about the verdict before hours are spent on it. */
export function forecast({ spec }: Evaluation, plan: Plan, earlier: readonly Evaluation[]): Condition[] {
  const { gate } = spec;
  if (!gate) return [];
  const few = tooFewTasks(gate, plan.taskSet.clusters);
  return [
    powerForecast(spec, gate, plan, earlier),
    ...(few ? [{ type: ConditionType.GatePassed, status: "Unknown" as const, reason: EvaluationReason.TooFewTasks, message: few }] : []),
    ...controlsForecast(gate, plan),
  ];
}

function tooFewTasks(gate: Gate, clusters: number): string | null {
  const wanted = clustersNeeded(gate);
  return clusters < wanted
    ? `the verdict will be Inconclusive: these are ${clusters} independent tasks (clusters), and it takes ${wanted}; for a verdict, create an evaluation on a task set of more clusters`
    : null;
}

function powerForecast({ samples, looks }: Evaluation["spec"], gate: Gate, { taskSet }: Plan, earlier: readonly Evaluation[]): Condition {
  const { clusters, tasks } = taskSet;
  if (clusters < 2)
    return {
      type: ConditionType.PowerKnown,
      status: "False",
      reason: EvaluationReason.TooFewTasks,
      message: "one independent task can't show a gain",
    };
  const seen = seenVariance({ samples, taskSet }, earlier);
  const gain = smallestGain({ clusters, tasks, samples, confidence: Number(gate.confidence), looks, chance: seen?.variance });
  const independent = clusters === tasks ? `${tasks} tasks` : `${tasks} tasks in ${clusters} clusters`;
  const source = seen ? `as ${seen.evaluation} saw equal arms vary` : "as tasks vary where nothing is known of them";
  const aim =
    gate.maxRelativeDropPercent === undefined
      ? `beyond the ${gate.thresholdPoints} points that the gate asks for`
      : "beyond the drop that the gate allows";
  return {
    type: ConditionType.PowerKnown,
    status: "True",
    reason: EvaluationReason.PowerKnown,
    message: `${independent} with ${samples} programs each show a gain ${aim} with a chance of 80 % from ${gain.toFixed(1)} points on, ${source}`,
  };
}

/**
 * Variance of the gain between equal arms, from the newest A/A evaluation of these tasks (its gate compares equal
 * arms).
 */
function seenVariance(
  { samples, taskSet }: { samples: number; taskSet: Plan["taskSet"] },
  earlier: readonly Evaluation[],
): { evaluation: string; variance: number } | undefined {
  const alike = earlier.filter(
    (each) =>
      each.spec.samples === samples &&
      each.status?.taskSet &&
      sameTasks(each.status.taskSet, taskSet) &&
      each.status.delta &&
      isTrue(each, ConditionType.Succeeded) &&
      comparesEqualArms(each),
  );
  const newest = alike.toSorted((a, b) => b.metadata.creationTimestamp.localeCompare(a.metadata.creationTimestamp))[0];
  if (!newest?.status?.delta) return undefined;
  const { lower, upper } = newest.status.delta;
  const variance = varianceSeen({ lower: Number(lower), upper: Number(upper) }, taskSet.clusters);
  return variance > 0 ? { evaluation: newest.metadata.name, variance } : undefined;
}

function comparesEqualArms({ spec: { arms, gate } }: Evaluation): boolean {
  const of = (wanted: string | undefined) => arms.find(({ name }) => name === wanted);
  const [a, b] = [of(gate?.candidate), of(gate?.baseline)];
  const plain = a && b && !a.adapters && !b.adapters && !a.context && !b.context;
  return Boolean(plain && a.serverRef.name === b.serverRef.name && a.adapter === b.adapter);
}

function controlsForecast(gate: Gate, { arms }: Plan): Condition[] {
  const generated = arms.find(({ name }) => name === gate.candidate)?.generated;
  if (!generated || gate.mode === "Smoke") return [];
  const missing = missingControls(arms);
  if (missing.length === 0)
    return [
      {
        type: ConditionType.ControlsMissing,
        status: "False",
        reason: EvaluationReason.ControlsPresent,
        message: `arm ${gate.candidate} answers with generated adapters, and its control arms are there`,
      },
    ];
  return [
    {
      type: ConditionType.ControlsMissing,
      status: "True",
      reason: EvaluationReason.ControlsMissing,
      message:
        `a hypernetwork made the adapters of arm ${gate.candidate}, so a gain over the base proves no memory, and the verdict is at best Inconclusive; it takes two more arms in a new evaluation, or gate.mode Smoke for a first look: ${missing.join("; ")}`.replace(
          "two more arms",
          missing.length === 2 ? "two more arms" : "one more arm",
        ),
    },
  ];
}
