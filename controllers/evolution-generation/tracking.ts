import type { Interval } from "@rune/crds/fields/measurement";
import type { Adapter } from "@rune/crds/kinds/adapter";
import type { EvolutionGeneration } from "@rune/crds/kinds/evolution-generation";
import { type Outcome, progressing } from "kopf-ts";
import { rateOf } from "../evidence/interval.ts";
import type { Services } from "../shared/services.ts";
import { isGenerated, type Runs, sourceRunOf } from "../shared/source-run.ts";
import { measured } from "./ranking.ts";
import { GenerationReason } from "./reasons.ts";
import type { Maker, Tracking, World } from "./world.ts";

/** Finds the run after a crash; the second tag marks it as complete. */
const uidTag = "rune.generation.uid";
const completeTag = "rune.generation.complete";
/** After this many tries the generation ends without the tracker. */
const mostTries = 3;

type Metrics = Record<string, number>;

/**
 * Whether the tracker has the complete generation; undefined without a tracker, or where status already has the result.
 */
export async function readTracking({ metadata, status }: EvolutionGeneration, { mlflow, config }: Services): Promise<Tracking | undefined> {
  if (!mlflow || !config.mlflow || status?.mlflowRunID || status?.tracking?.why) return undefined;
  try {
    const run = await mlflow.findRun({ experiment: config.mlflow.experiment, tag: completeTag, value: metadata.uid });
    return run ? { runID: run.runID } : "absent";
  } catch (error) {
    return { unavailable: (error as Error).message };
  }
}

/** Sends a generation's numbers to the tracker; repeated, it updates the same run. */
export type Track = (metrics: Metrics) => Promise<void>;

export const tracking =
  (generation: EvolutionGeneration, { mlflow, config }: Services): Track =>
  async (metrics) => {
    if (!mlflow || !config.mlflow) return;
    const { experiment } = config.mlflow;
    const { name, uid } = generation.metadata;
    const run =
      (await mlflow.findRun({ experiment, tag: uidTag, value: uid })) ??
      (await mlflow.startRun({ experiment, name, tags: { [uidTag]: uid } }));
    await mlflow.logParams(run, paramsOf(generation));
    await mlflow.logMetrics(run, metrics, generation.spec.generation);
    await mlflow.note(run, generation.status?.promotion?.why ?? "nothing was promoted");
    await mlflow.endRun(run);
    await mlflow.tag(run, completeTag, uid);
  };

/** Sends the numbers before the generation ends, but never blocks its end; null once the result is in status. */
export function tracked({ generation, tracking: found, makers }: World, known: object, track: Track): Outcome | null {
  const tries = generation.status?.tracking?.tries ?? 0;
  const untold = (why: string) =>
    progressing(GenerationReason.Recording, "goes on without the experiment tracker", { tracking: { tries, why: why.slice(0, 300) } })
      .event("Warning", GenerationReason.NotTracked, `the experiment tracker has no run of this generation: ${why}`)
      .atOnce();
  if (!found) return null;
  if (found === "absent") {
    if (tries >= mostTries) return untold(`it took none in ${tries} tries`);
    const metrics = metricsOf({ ...generation, status: { ...generation.status, ...known } }, makers);
    return progressing(GenerationReason.Recording, "tells the experiment tracker", { tracking: { tries: tries + 1 } })
      .effect("MLflow run", () => track(metrics))
      .atOnce();
  }
  if ("unavailable" in found) return untold(found.unavailable);
  return progressing(GenerationReason.Recording, "the experiment tracker knows", { mlflowRunID: found.runID }).atOnce();
}

function paramsOf({ metadata, spec, status }: EvolutionGeneration): Record<string, string> {
  return {
    run_id: metadata.uid,
    phase: spec.rootRef?.name ?? metadata.name,
    adapter_id: status?.promoted ?? "none",
    generation: String(spec.generation),
    task_set: status?.taskSet?.digest ?? "none",
    promotion_task_set: status?.promotionTaskSet?.digest ?? "none",
    seed: String(spec.seed),
  };
}

/** Numbers of a generation, with the mean Pass@1 of generated and of fine-tuned adapters where both kinds exist. */
export function metricsOf({ status = {}, spec }: EvolutionGeneration, makers: ReadonlyMap<string, Maker>): Metrics {
  const { members = [], children = [], promotion, archived = 0, memberCount = 0, spent, best, base } = status;
  const known = measured(children);
  const kinds = {
    Merge: "merge",
    Generate: "generate",
    Mean: "mean",
    UnionRetrain: "union_retrain",
    ScaledParent: "scaled_parent",
  } as const;
  const everybody = [...measured(members), ...known.flatMap((child) => (child.adapter ? [{ ...child, name: child.adapter }] : []))];
  const [generated, tuned] = (["generated", "fine_tuned"] as const).map((maker) =>
    everybody.filter(({ name }) => makers.get(name) === maker).map(({ passAt1 }) => rateOf(passAt1).estimate),
  );
  const mean = (values: readonly number[]) => values.reduce((sum, each) => sum + each, 0) / values.length;
  return {
    generation: spec.generation,
    members: memberCount,
    children: known.length,
    archived,
    ...(spent && { evaluations_spent: spent.evaluations, gpu_seconds_spent: spent.gpuSeconds }),
    ...(best && { pass_at_1: rateOf(best.passAt1).estimate }),
    ...(base && { "pass_at_1.base": rateOf(base).estimate }),
    ...Object.fromEntries(known.map(({ run, kind, passAt1 }) => [`pass_at_1.${kinds[kind]}.${run}`, rateOf(passAt1).estimate])),
    ...(generated?.length && tuned?.length && { "pass_at_1.generated": mean(generated), "pass_at_1.fine_tuned": mean(tuned) }),
    ...deltaOf(promotion?.delta),
  };
}

function deltaOf(delta: Interval | undefined): Metrics {
  if (!delta) return {};
  const { estimate, lower, upper } = rateOf(delta);
  return { delta_points: estimate, delta_points_lower: lower, delta_points_upper: upper };
}

/** What made each adapter, where its run exists and used a hypernetwork or fine-tuning. */
export const makersOf = (adapters: Iterable<Adapter>, runs: Runs): Map<string, Maker> =>
  new Map(
    [...adapters].flatMap((adapter): [string, Maker][] => {
      if (isGenerated(adapter, runs)) return [[adapter.metadata.name, "generated"]];
      return sourceRunOf(adapter, runs)?.spec.sft ? [[adapter.metadata.name, "fine_tuned"]] : [];
    }),
  );
