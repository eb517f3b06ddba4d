import type { Adapter } from "@rune/crds/kinds/adapter";
import type { Method } from "@rune/crds/kinds/methods";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import { label } from "@rune/crds/words/labels";
import { hasLabels } from "./labels.ts";

/** TrainingRuns of a namespace by name. */
export type Runs = Pick<ReadonlyMap<string, TrainingRun>, "get">;

/** The run that made an adapter, if it still exists (with the same UID). */
export function sourceRunOf({ spec: { source } }: Adapter, runs: Runs): TrainingRun | undefined {
  const run = source.kind === "TrainingRun" && source.name ? runs.get(source.name) : undefined;
  return run && (source.uid === undefined || source.uid === run.metadata.uid) ? run : undefined;
}

/** What an adapter that has learnt nothing itself compares others with. */
const controlKinds = ["Mean", "Random", "Zero"] as const;
type ControlKind = (typeof controlKinds)[number];

/** The kind of control that a run makes, if it makes one. */
export function controlMadeBy({ spec }: TrainingRun): ControlKind | undefined {
  if (spec.control) return spec.control.kind === "Zero" ? "Zero" : "Random";
  return spec.merge?.combine === "Mean" ? "Mean" : undefined;
}

/** The kind of control that an adapter is, by the run that made it, and by its label where that run is gone. */
export function controlKindOf(adapter: Adapter, runs: Runs): ControlKind | undefined {
  const run = sourceRunOf(adapter, runs);
  if (run) return controlMadeBy(run);
  const known = controlKinds.find((kind) => hasLabels(adapter, { [label.control]: kind }));
  return known ?? (adapter.spec.control ? "Random" : undefined);
}

/**
 * Whether a hypernetwork made it. A session's own run is deleted with the session; the label on its Adapter remains.
 */
export const isGenerated = (adapter: Adapter, runs: Runs): boolean =>
  hasLabels(adapter, { [label.method]: "generate" satisfies Method }) || sourceRunOf(adapter, runs)?.spec.generate !== undefined;
