import type { MeasuredTasks } from "@rune/crds/fields/measurement";
import type { Adapter } from "@rune/crds/kinds/adapter";
import type { EvolutionGeneration } from "@rune/crds/kinds/evolution-generation";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import { rateOf } from "../evidence/interval.ts";
import { isEligible, newestFirst } from "../shared/retrieval.ts";
import { sameTasks } from "../shared/scope.ts";
import type { Member, Status } from "./world.ts";

/**
 * Adapters that can be members: verified, on the server's base, not archived, no controls, and small enough to load.
 */
export function eligible({ spec }: EvolutionGeneration, population: readonly Adapter[], server: ModelServer): Adapter[] {
  const base = server.status?.baseDigest ?? "";
  const archived = spec.former?.archived ?? [];
  return population.filter(
    (adapter) =>
      isEligible(adapter, base) &&
      !archived.includes(adapter.metadata.name) &&
      !adapter.spec.control &&
      adapter.spec.rank <= server.spec.adapters.maxRank,
  );
}

/** An adapter's measurement on exactly these tasks, from its status. */
function evidenceOn({ status }: Adapter, taskSet: MeasuredTasks) {
  const known = [...(status?.evidence ?? []), ...(status?.fitness ? [status.fitness] : [])];
  return known.find((each) => each.taskSet && sameTasks(each.taskSet, taskSet));
}

/** The frozen members, at most `maximum`: champions, then adapters not measured on these tasks, the newest first, then by lower bound. */
export function freezePopulation(
  { spec }: EvolutionGeneration,
  adapters: readonly Adapter[],
  taskSet: MeasuredTasks,
): Pick<Status, "members" | "memberCount" | "omitted" | "base"> {
  const ranked = adapters.map((adapter) => ({ adapter, evidence: evidenceOn(adapter, taskSet) })).toSorted(byWorth);
  const kept = ranked.slice(0, spec.population.maximum);
  const left = ranked.slice(spec.population.maximum).map(({ adapter }) => adapter.metadata.name);
  const base = kept.find(({ evidence }) => evidence?.base)?.evidence?.base;
  return {
    memberCount: kept.length,
    members: kept.map(({ adapter, evidence }) => memberOf(adapter, evidence)),
    ...(left.length > 0 && { omitted: { count: left.length, names: left.slice(0, 50) } }),
    ...(base && { base }),
  };
}

type Ranked = { adapter: Adapter; evidence: ReturnType<typeof evidenceOn> };

function byWorth(a: Ranked, b: Ranked): number {
  const rank = ({ adapter, evidence }: Ranked) => (adapter.status?.champion ? 3 : evidence ? rateOf(evidence.passAt1).lower : 2);
  return rank(b) - rank(a) || newestFirst(a.adapter, b.adapter);
}

function memberOf({ metadata, spec, status }: Adapter, evidence: Ranked["evidence"]): Member {
  const { repository, digest } = spec.artifact;
  return {
    name: metadata.name,
    digest,
    repository,
    scope: spec.scope,
    ...(status?.champion && { champion: true as const }),
    ...(evidence && { passAt1: evidence.passAt1, evaluationUID: evidence.evaluationUID }),
  };
}
