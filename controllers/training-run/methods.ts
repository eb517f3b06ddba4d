import { dividedMethods } from "@rune/crds/kinds/methods";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import { repositoryOf } from "../shared/names.ts";
import { parentsIn } from "./lineage.ts";

/** Properties of a method that follow from specs alone. */

/** What a run stores in the registry: an adapter, an index of several adapters, or a hypernetwork. */
export type OutputKind = "Adapter" | "Adapters" | "Hypernetwork";

export function outputKindOf(run: TrainingRun): OutputKind {
  if (run.spec.hypernetwork) return "Hypernetwork";
  return run.spec.generate?.each === "Session" ? "Adapters" : "Adapter";
}

/** As many GPUs as the method has work for: its trainer divides each step's batch among them, or works with one. */
export function mostGPUs({ spec }: TrainingRun): { readonly most: number; readonly why: string } {
  const method = dividedMethods.find((name) => spec[name]);
  const most = method && spec[method]?.batchSize;
  if (method && most) return { most, why: `its GPUs divide each step's batch, which spec.${method}.batchSize limits to ${most}` };
  return { most: 1, why: `only ${dividedMethods.join(" and ")} work with several` };
}

/** The one repository that a run may push to. */
export function outputRepositoryOf(run: TrainingRun): string {
  const { namespace } = run.metadata;
  return outputKindOf(run) === "Hypernetwork" ? repositoryOf.hypernetworks(namespace) : repositoryOf.adapters(namespace);
}

/** Adapters that the spec names, in order, and the field that names them. */
export function namedAdapters({ spec }: TrainingRun): { readonly field: string; readonly names: readonly string[] } {
  if (spec.merge) {
    const { adapters, normOf } = spec.merge;
    return normOf ? { field: "spec.merge", names: [...adapters, normOf] } : { field: "spec.merge.adapters", names: adapters };
  }
  if (spec.control) return { field: "spec.control.like", names: [spec.control.like] };
  if (spec.sft?.warmStart) return { field: "spec.sft.warmStart.adapter", names: [spec.sft.warmStart.adapter] };
  return { field: "", names: [] };
}

/**
 * The result's minimum rank, or undefined if it is no adapter. `named`: the ranks of the adapters that the spec names.
 */
export function leastRank(
  { spec }: TrainingRun,
  named: readonly number[],
  generator?: { rank: number; chunks: number },
): number | undefined {
  if (spec.sft) return spec.sft.rank;
  if (spec.control) return named[0];
  if (spec.generate) return generator && generator.rank * (generator.chunks + 1);
  if (!spec.merge) return undefined;
  const { combine, rank } = spec.merge;
  const ranks = named.slice(0, parentsIn(spec));
  const sum = ranks.reduce((total, each) => total + each, 0);
  const usual = combine === "Cat" || combine === "Mean" ? sum : Math.max(...ranks);
  const sparse = combine === "Ties" || combine === "DareTies";
  return sparse ? (rank ?? usual) : Math.min(rank ?? usual, sum);
}
