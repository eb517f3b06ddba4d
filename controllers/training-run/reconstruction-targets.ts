import type { ArtifactReference } from "@rune/crds/fields/artifact-reference";
import type { Adapter } from "@rune/crds/kinds/adapter";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import { ConditionType } from "@rune/crds/words/conditions";
import { isTrue } from "kopf-ts";

/**
 * Adapters of a base that were fine-tuned from one trajectory alone, by its digest: the targets of a hypernetwork. Of
 * several for one trajectory the newest counts.
 */
export function adaptersOfOneTrajectory(
  baseDigest: string,
  runs: readonly TrainingRun[],
  adapters: readonly Adapter[],
): ReadonlyMap<string, ArtifactReference> {
  const byName = new Map(adapters.map((adapter) => [adapter.metadata.name, adapter]));
  const pairs = runs
    .toSorted(
      (a, b) => a.metadata.creationTimestamp.localeCompare(b.metadata.creationTimestamp) || (a.metadata.name < b.metadata.name ? -1 : 1),
    )
    .flatMap((run) => {
      const [trajectory, ...others] = run.status?.corpus?.trajectories ?? [];
      const adapter = byName.get(run.status?.adapter ?? "");
      const alone = run.spec.sft && !run.spec.sft.warmStart && run.status?.corpus?.count === 1 && others.length === 0;
      if (!alone || !trajectory || adapter?.spec.base.digest !== baseDigest || !isTrue(run, ConditionType.Succeeded)) return [];
      const { repository, digest } = adapter.spec.artifact;
      return [[trajectory.digest, { repository, digest }] as const];
    });
  return new Map(pairs);
}
