import { parseJSON } from "@rune/clients/http/json";
import { trainingAnnotation, unnamedAlarm } from "@rune/crds/contracts/artifact";
import { type TrainerResult, trainerResult } from "@rune/crds/contracts/trainer";
import { type TrainingRun, trainingMetrics, varietyOfCorpus } from "@rune/crds/kinds/training-run";
import { ConditionType } from "@rune/crds/words/conditions";
import type { ConditionInput } from "kopf-ts";
import { outputRepositoryOf } from "./methods.ts";
import { RunReason } from "./reasons.ts";
import type { Artifact } from "./world.ts";

export type Result = NonNullable<NonNullable<TrainingRun["status"]>["result"]>;

const metricNames = Object.keys(trainingMetrics.shape).filter((name) => name !== "weights");
const isCount = (name: string) => name in varietyOfCorpus.shape;
/** Limits of status. */
const mostText = { weights: 400, collapsed: 500 };

type Told = Pick<TrainerResult, "repository" | "digest" | "sizeBytes"> &
  Partial<Omit<TrainerResult, "repository" | "digest" | "sizeBytes">>;

/** The trainer's result in the form of status. A training without a step has no loss. */
export function resultOf(told: Told): Result {
  const { repository, digest, sizeBytes, examples, steps, adapters, collapsed } = told;
  const metrics = metricsOf(told);
  return {
    repository,
    digest,
    sizeBytes,
    examples,
    steps,
    adapters,
    ...(metrics && { metrics }),
    ...(collapsed && { collapsed: collapsed.slice(0, mostText.collapsed).toWellFormed() }),
    ...(told.trainingLoss !== undefined && told.steps !== 0 && { trainingLoss: told.trainingLoss.toPrecision(6) }),
    ...(told.deltaWNorm !== undefined && { deltaWNorm: told.deltaWNorm.toPrecision(6) }),
    ...(told.durationSeconds !== undefined && { durationSeconds: Math.round(told.durationSeconds) }),
  };
}

/** The metrics that status has fields for; others are only in the tracker. */
function metricsOf({ metrics = {}, weights }: Told): Result["metrics"] {
  const known = metricNames.flatMap((name) => {
    const value = metrics[name];
    return value === undefined ? [] : [[name, isCount(name) ? Math.round(value) : value.toPrecision(4)] as const];
  });
  const list = weights?.map((weight) => Number(weight.toPrecision(4))).join(", ");
  if (known.length === 0 && !list) return undefined;
  return { ...Object.fromEntries(known), ...(list && { weights: list.slice(0, mostText.weights) }) };
}

/** The parts that a manifest's annotations repeat, each as JSON; unreadable ones are omitted. */
const recorded = trainerResult
  .pick({ examples: true, steps: true, trainingLoss: true, deltaWNorm: true, collapsed: true, metrics: true, weights: true })
  .partial();

/** The same from an artifact whose trainer's termination message was lost. */
export function resultOfArtifact(run: TrainingRun, { annotations, ...artifact }: Artifact): Result {
  const statistics = Object.entries(recorded.shape).flatMap(([name, schema]) => {
    const parsed = schema.safeParse(parseJSON(annotations[trainingAnnotation + name]));
    return parsed.success && parsed.data !== undefined ? [[name, parsed.data] as const] : [];
  });
  return resultOf({
    repository: outputRepositoryOf(run),
    digest: artifact.digest,
    sizeBytes: artifact.sizeBytes,
    ...(artifact.kind === "Adapters" && { adapters: artifact.members.length }),
    ...(artifact.kind === "Hypernetwork" && artifact.config.collapsed && { collapsed: unnamedAlarm }),
    ...Object.fromEntries(statistics),
  });
}

/** Whether the hypernetwork learnt what distinguishes trajectories. A negative result is a result too. */
export function modeCollapse({ collapsed, metrics }: Result): ConditionInput & { message: string } {
  const { weights: _, ...figures } = metrics ?? {};
  const told = Object.entries(figures).map(([name, value]) => `${name} ${value}`);
  const sentence = told.length > 0 ? ` (${told.join(", ")})` : "";
  return collapsed
    ? {
        type: ConditionType.ModeCollapse,
        status: "True",
        reason: RunReason.ModeCollapse,
        message: `${collapsed}${sentence}; the artifact is kept for study, and generate takes it only with spec.generate.force`,
      }
    : { type: ConditionType.ModeCollapse, status: "False", reason: RunReason.NoAlarm, message: `no alarm ended the training${sentence}` };
}
