import type { EvolutionGeneration } from "@rune/crds/kinds/evolution-generation";
import type { Child, Measurement, Status } from "./world.ts";

type Spent = NonNullable<Status["spent"]>;

/** What this and all earlier generations have spent, according to status. */
export function spentOf(
  { spec, status }: EvolutionGeneration,
  now: { evaluations?: readonly Measurement[]; children?: readonly Child[] } = {},
): Spent {
  const { evaluations = status?.evaluations ?? [], children = status?.children ?? [] } = now;
  const before = spec.former?.spent ?? { evaluations: 0, gpuSeconds: 0 };
  return {
    evaluations: before.evaluations + evaluations.filter(({ uid }) => uid !== undefined).length,
    gpuSeconds: before.gpuSeconds + children.reduce((sum, { gpuSeconds = 0 }) => sum + gpuSeconds, 0),
  };
}

/** Why no further evaluation may begin, or null. */
export function evaluationsSpent(generation: EvolutionGeneration): string | null {
  const most = generation.spec.budget.evaluations;
  const { evaluations } = spentOf(generation);
  return most !== undefined && evaluations >= most ? `${evaluations} evaluations are spent, which is spec.budget.evaluations` : null;
}

/** Why no further training may begin, or null. */
export function hoursSpent(generation: EvolutionGeneration): string | null {
  const most = generation.spec.budget.gpuHours;
  const hours = spentOf(generation).gpuSeconds / 3600;
  return most !== undefined && hours >= most ? `${hours.toFixed(1)} GPU hours are spent, and spec.budget.gpuHours is ${most}` : null;
}
