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

/**
 * Whether a hypernetwork made it. A session's own run is deleted with the session; the label on its Adapter remains.
 */
export const isGenerated = (adapter: Adapter, runs: Runs): boolean =>
  hasLabels(adapter, { [label.method]: "generate" satisfies Method }) || sourceRunOf(adapter, runs)?.spec.generate !== undefined;
