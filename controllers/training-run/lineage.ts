import type { TrainingRun } from "@rune/crds/kinds/training-run";

type Inputs = NonNullable<NonNullable<TrainingRun["status"]>["inputs"]>;

/** The number of named adapters that are parents: one whose shape or strength alone is imitated isn't. */
export const parentsIn = ({ control, merge }: TrainingRun["spec"]) => (control ? 0 : merge?.adapters.length);

/** Parents and generation of the result. */
export function descentOf(run: TrainingRun): { generation: number; parents: { name: string; digest: string }[] } {
  const adapters: NonNullable<Inputs["adapters"]> = (run.status?.inputs?.adapters ?? []).slice(0, parentsIn(run.spec));
  if (adapters.length === 0) return { generation: 0, parents: [] };
  return {
    generation: 1 + Math.max(...adapters.map(({ generation }) => generation)),
    parents: adapters.map(({ name, digest }) => ({ name, digest })),
  };
}
