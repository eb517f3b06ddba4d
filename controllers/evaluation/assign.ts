import { canonicalJSON } from "@rune/clients/registry/digest";
import { below, seeded } from "@rune/clients/statistics/random";
import type { HeldOutTask } from "@rune/crds/contracts/task-set";
import type { Adapter } from "@rune/crds/kinds/adapter";
import { rankedFor } from "../shared/retrieval.ts";

/** Task id → name of its adapter. Tasks without one are answered by the base. */
export type Assignment = Record<string, string>;

/** Assigns to each task the adapter that a session of its scope would choose among these. */
export function assignedByScope(tasks: readonly HeldOutTask[], adapters: readonly Adapter[]): Assignment {
  const byScope = Map.groupBy(tasks, ({ scope = {} }) => canonicalJSON(scope).toString());
  return Object.fromEntries(
    [...byScope.values()].flatMap((alike) => {
      const [best] = rankedFor(alike[0]?.scope ?? {}, adapters);
      return best ? alike.map(({ id }) => [id, best.adapter.metadata.name] as const) : [];
    }),
  );
}

/**
 * Assigns to each task an adapter of other tasks: the assigned adapters are permuted in one cycle drawn by the seed
 * (Sattolo 1986), so none keeps its tasks, each is used as often as the one that it replaces, and tasks that shared an
 * adapter still do. Null for fewer than two adapters.
 */
export function shuffledAssignment(assigned: Assignment, seed: number): Assignment | null {
  const names = [...new Set(Object.values(assigned))].sort();
  if (names.length < 2) return null;
  const others = [...names];
  const random = seeded(seed, "wrong trajectories");
  for (let last = others.length - 1; last > 0; last--) {
    const other = below(last, random);
    [others[last], others[other]] = [others[other] as string, others[last] as string];
  }
  const wrong = new Map(names.map((name, index) => [name, others[index] as string]));
  return Object.fromEntries(Object.entries(assigned).map(([id, name]) => [id, wrong.get(name) ?? name]));
}
