import type { Interval } from "@rune/crds/fields/measurement";
import type { Adapter } from "@rune/crds/kinds/adapter";
import { mostChampions } from "@rune/crds/kinds/evolution-status";
import { ConditionType } from "@rune/crds/words/conditions";
import { isTrue } from "kopf-ts";
import { rateOf } from "../evidence/interval.ts";
import { championsOf } from "./champions.ts";
import { isContender, scaledFor } from "./children.ts";
import { confidenceOf } from "./confidence.ts";
import type { RivalRole } from "./manifests.ts";
import { byLowerBound, intervalText, measured } from "./ranking.ts";
import { inflationPoints } from "./selection-bias.ts";
import { tierOf } from "./tier.ts";
import type { Child, Promotion, World } from "./world.ts";

type Scored = Child & { adapter: string; name: string; passAt1: Interval };
type Candidate = Promotion & Required<Pick<Promotion, "candidate" | "bestParent" | "baseline">>;

/** No child is tested, and why. */
type Nobody = { readonly whyNobody: string; readonly inflationPoints: string };

/** Measured children, the best lower bound first. */
const scored = (children: readonly Child[]): Scored[] =>
  measured(children)
    .flatMap((child) => (child.adapter ? [{ ...child, adapter: child.adapter, name: child.adapter }] : []))
    .toSorted(byLowerBound);

/** The child to test: the best contender that measured above everything it must beat; or why there is none. */
export function candidateFor(world: World): Candidate | Nobody {
  const { children = [], members = [] } = world.generation.status ?? {};
  const all = scored(children);
  const inflation = inflationPoints(all.map(({ passAt1 }) => passAt1)).toFixed(1);
  const nobody = (whyNobody: string): Nobody => ({ whyNobody, inflationPoints: inflation });
  const contenders = all.filter((child) => isContender(child) && child.state === "Kept");
  if (contenders.length === 0) return nobody("no child to promote was made, measured and new; status.children says why");
  const baselines = all.filter((child) => !isContender(child));
  // A scaled parent matches one child's strength and is only that child's rival.
  const rivalsOfChild = ({ adapter }: Scored) => baselines.filter(({ like }) => like === undefined || like === adapter);
  const candidate = contenders.find((child) => rivalsOfChild(child).every((other) => isAbove(child.passAt1, other.passAt1)));
  if (!candidate) return nobody(beatenBy(contenders, baselines));
  const parents = measured(members)
    .filter(({ name }) => candidate.parents.includes(name))
    .toSorted(byLowerBound);
  const place = tierOf(parents.map(({ scope }) => scope));
  const [parent] = parents;
  if (!parent || !place) return nobody(`${candidate.adapter} would be nobody's champion: its parents have no project in common`);
  const [incumbent, ...others] = incumbentsOf(place.scope, world);
  const leftOut = incumbent && whyUnmeasurable(incumbent, world);
  const scaled = scaledFor(candidate.adapter, all);
  const baseline = strongestOf([parent, ...(scaled ? [scaled] : []), ...knownOf(leftOut ? undefined : incumbent, world)]);
  if (!isAbove(candidate.passAt1, baseline.passAt1)) {
    const [one, other] = [intervalText(candidate.passAt1), intervalText(baseline.passAt1)];
    return nobody(`${candidate.adapter} (${one}) is no better than ${baseline.name} (${other}) on the tasks that select`);
  }
  return {
    candidate: candidate.adapter,
    ...place,
    bestParent: parent.name,
    ...(incumbent && { incumbent: incumbent.metadata.name }),
    ...(others.length > 0 && { alsoChampions: others.map(({ metadata }) => metadata.name).slice(0, mostChampions) }),
    ...(leftOut && { leftOut }),
    baseline: baseline.name,
    confidence: confidenceOf(world.generation),
    inflationPoints: inflation,
  };
}

const isAbove = (one: Interval, other: Interval) => rateOf(one).estimate > rateOf(other).estimate;

function beatenBy([best]: readonly Scored[], baselines: readonly Scored[]): string {
  const told = baselines.map(({ kind, adapter, like, passAt1 }) => {
    const as = like ? ` as strong as ${like}` : "";
    return `${rivalWords[kind]} ${adapter} ${intervalText(passAt1)}${as}`;
  });
  return `no child beats what it is compared with: the best, ${best?.adapter}, has ${best && intervalText(best.passAt1)}, ${told.join(" and ")}`;
}

const rivalWords: Partial<Record<Child["kind"], string>> = {
  Mean: "the mean",
  UnionRetrain: "the union",
  ScaledParent: "the scaled parent",
};

/** The champions of a scope, the best on the selecting tasks first. */
function incumbentsOf(scope: NonNullable<Promotion["scope"]>, { generation, champions, server }: World): Adapter[] {
  const known = new Map(generation.status?.members?.map(({ name, passAt1 }) => [name, passAt1]));
  const worth = ({ metadata: { name } }: Adapter) => {
    const passAt1 = known.get(name);
    return passAt1 ? rateOf(passAt1).lower : -1;
  };
  return championsOf(scope, server?.status?.baseDigest, champions).toSorted(
    (a, b) => worth(b) - worth(a) || (a.metadata.name < b.metadata.name ? -1 : 1),
  );
}

/** Why an evaluation would wait forever for a champion; null where it wouldn't. */
function whyUnmeasurable(champion: Adapter, { server }: World): string | null {
  const { name } = champion.metadata;
  if (!isTrue(champion, ConditionType.Ready)) return `the champion ${name} isn't measured, because it isn't Ready`;
  const most = server?.spec.adapters.maxRank ?? Number.POSITIVE_INFINITY;
  if (champion.spec.rank <= most) return null;
  return `the champion ${name} isn't measured: it has rank ${champion.spec.rank}, and ${server?.metadata.name} takes ${most}`;
}

type Known = { readonly name: string; readonly passAt1: Interval };

/**
 * The gate's baseline: the best on the selecting tasks among the best parent, its scaled copy and the scope's champion.
 */
const strongestOf = ([first, ...others]: readonly [Known, ...Known[]]): Known =>
  others.reduce((best, other) => (isAbove(other.passAt1, best.passAt1) ? other : best), first);

/** A champion's measurement, if it is a member. */
function knownOf(champion: Adapter | undefined, { generation }: World): Known[] {
  const name = champion?.metadata.name;
  const passAt1 = generation.status?.members?.find((member) => member.name === name)?.passAt1;
  return name && passAt1 ? [{ name, passAt1 }] : [];
}

/** Adapters that a candidate must beat, each once: the best parent may be the champion. */
export function rivalsOf({ generation }: World, { candidate = "", bestParent, incumbent, leftOut }: Promotion): Map<RivalRole, string> {
  const scaled = scaledFor(candidate, generation.status?.children ?? []);
  const of = (kind: Child["kind"]) =>
    generation.status?.children?.find((child) => child.kind === kind && child.adapter && child.passAt1)?.adapter;
  const wanted: [RivalRole, string | undefined][] = [
    ["BestParent", bestParent],
    ["Incumbent", incumbent === bestParent || leftOut ? undefined : incumbent],
    ["Mean", of("Mean")],
    ["UnionRetrain", of("UnionRetrain")],
    ["ScaledParent", scaled?.passAt1 && scaled.adapter],
  ];
  return new Map(wanted.flatMap(([role, name]) => (name ? [[role, name] as const] : [])));
}
