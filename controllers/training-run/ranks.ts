import { largestRank, methodOf } from "@rune/crds/kinds/methods";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import { isResolved } from "../pods/base-model.ts";
import type { Check } from "../shared/check.ts";
import { Reason } from "../shared/reasons.ts";
import { leastRank } from "./methods.ts";
import type { World } from "./world.ts";

/*
 * Whether any server could load the result. Its rank is known beforehand: exactly, or, where a hypernetwork reads
 * trajectories in chunks, as a minimum.
 */

function rankOf({ run, adapters, generator }: World): number | undefined {
  const { inputs, corpus } = run.status ?? {};
  const ranks = inputs?.adapters?.map(({ rank }) => rank) ?? adapters.map(({ spec }) => spec.rank);
  const rank = inputs?.hypernetwork?.rank ?? (generator && "config" in generator ? generator.config.rank : undefined);
  const chunks = run.spec.generate?.each === "Corpus" ? (corpus?.count ?? 1) : 1;
  return leastRank(run, ranks, rank === undefined ? undefined : { rank, chunks });
}

const remedy = (world: World) =>
  ({
    sft: "lower spec.sft.rank",
    hypernetwork: "lower spec.hypernetwork.rank",
    generate: "select fewer sessions, make one adapter of each (spec.generate.each: Session), or train a hypernetwork of a smaller rank",
    merge: "set a smaller spec.merge.rank, or merge fewer adapters",
    control: "imitate an adapter of a smaller rank",
  })[methodOf(world.run)];

const rankExists: Check<World> = (world) => {
  const rank = begun(world) ? undefined : rankOf(world);
  if (rank === undefined || rank <= largestRank) return null;
  return {
    reason: Reason.RankTooLarge,
    message: `the result would have rank ${rank}, and no adapter may have more than ${largestRank}; in a new run, ${remedy(world)}`,
  };
};

/** If there are servers of this base, one of them must support the rank; if there is none, one may be created later. */
const rankServed: Check<World> = (world) => {
  const { base, servers } = world;
  const rank = begun(world) ? undefined : rankOf(world);
  if (rank === undefined || !isResolved(base)) return null;
  const [most, ...others] = servers
    .filter(({ status }) => status?.baseDigest === base.digest)
    .toSorted((a, b) => maxRankOf(b) - maxRankOf(a));
  if (!most || rank <= maxRankOf(most)) return null;
  const which = others.length > 0 ? `the largest of ${others.length + 1} ModelServers of this base` : "the ModelServer of this base";
  return {
    reason: Reason.RankTooLarge,
    message: `the result would have rank ${rank}, and ${which} (${most.metadata.name}) takes ${maxRankOf(most)}; raise its spec.adapters.maxRank to ${rank} or more, or, in a new run, ${remedy(world)}`,
  };
};

const maxRankOf = ({ spec }: ModelServer) => spec.adapters.maxRank;
/** Not checked again after the start: a server that changes meanwhile stops no training. */
const begun = ({ run }: World) => run.status?.attempts !== undefined;

export const ranksFit: readonly Check<World>[] = [rankExists, rankServed];
