import { seeded, shuffled } from "@rune/clients/statistics/random";
import type { EvolutionGeneration } from "@rune/crds/kinds/evolution-generation";
import type { Child, Promotion } from "./world.ts";

/** The children of these parents (ordered by lower bound). Each is identified by its run's name, so it is made once. */
export function plannedChildren({ metadata, spec }: EvolutionGeneration, parents: readonly string[]): Child[] {
  const { merge, generate, mean, unionRetrain } = spec.variation;
  const random = seeded(spec.seed, `children of generation ${spec.generation}`);
  const pairs = parents.flatMap((one, index) => parents.slice(index + 1).map((other) => [one, other]));
  // With two parents the only pair is the whole family.
  const others = parents.length > 2 ? shuffled(pairs, random) : [];
  const families = [[...parents], ...others].slice(0, merge.children);
  const wanted = [
    ...families.map((family) => ({ kind: "Merge" as const, parents: family })),
    ...(generate ? [{ kind: "Generate" as const, parents: [...parents] }] : []),
    ...(mean ? [{ kind: "Mean" as const, parents: [...parents] }] : []),
    ...(unionRetrain ? [{ kind: "UnionRetrain" as const, parents: [...parents] }] : []),
  ];
  return wanted.map((child, index) => ({ run: `${metadata.name}-c${index + 1}`, ...child, state: "Planned" as const }));
}

/** Whether a child can be promoted. The others exist for comparison. */
export const isContender = ({ kind }: Pick<Child, "kind">): boolean => kind === "Merge" || kind === "Generate";

/** Whether a child is made from its parents' trajectories instead of their weights. */
export const learnsAnew = ({ kind }: Pick<Child, "kind">): boolean => kind === "UnionRetrain" || kind === "Generate";

/** The candidate's best parent, scaled to the candidate's strength; undefined if it is planned or not requested. */
export function scaledParentFor(
  { metadata, spec, status }: EvolutionGeneration,
  { candidate, bestParent }: Pick<Promotion, "candidate" | "bestParent">,
): Child | undefined {
  const children = status?.children ?? [];
  if (!spec.variation.scaledParent || !candidate || !bestParent || scaledFor(candidate, children)) return undefined;
  return {
    run: `${metadata.name}-c${children.length + 1}`,
    kind: "ScaledParent",
    parents: [bestParent],
    like: candidate,
    state: "Planned",
  };
}

/** The scaled parent of a candidate. */
export const scaledFor = <T extends Child>(candidate: string, children: readonly T[]): T | undefined =>
  children.find(({ kind, like }) => kind === "ScaledParent" && like === candidate);
