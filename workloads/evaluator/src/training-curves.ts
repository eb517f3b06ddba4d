import type { Curve, Facts } from "./adapter-facts.ts";
import type { Arm } from "./arms.ts";

/** Trainings in a report: more lines can't be distinguished in a plot. */
export const mostCurves = 8;

/** A training, the arms that have adapters of it, and these adapters. */
type Shown = Omit<Curve, "schema"> & { arms: string[]; adapters: number; first: string };

/** The distinct trainings of the arms' adapters, in the order of arms and adapters; undefined where none is shown. */
export function curvesOf(arms: readonly Arm[], facts: Facts): { shown: Shown[]; more: number } | undefined {
  const made = arms.flatMap((arm) =>
    arm.adapters.flatMap(({ name, digest }) => {
      const curve = facts.get(digest)?.curve;
      return curve ? [{ arm: arm.name, name, digest, curve }] : [];
    }),
  );
  const all = [...Map.groupBy(made, ({ curve }) => curve.digest).values()].flatMap((of): Shown[] => {
    const [first] = of;
    if (!first) return [];
    const { schema: _, ...curve } = first.curve;
    const adapters = new Set(of.map(({ digest }) => digest)).size;
    return [{ ...curve, arms: [...new Set(of.map(({ arm }) => arm))], adapters, first: first.name }];
  });
  return all.length === 0 ? undefined : { shown: all.slice(0, mostCurves), more: Math.max(0, all.length - mostCurves) };
}
