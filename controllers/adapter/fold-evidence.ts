import type { Evidence } from "@rune/crds/contracts/evidence";
import type { Scope } from "@rune/crds/fields/scope";
import { type Adapter, mostEvidence } from "@rune/crds/kinds/adapter";
import { intervalOf } from "../evidence/interval.ts";
import { sameScope, sameTasks } from "../shared/scope.ts";

export type Status = NonNullable<Adapter["status"]>;
type Fitness = NonNullable<Status["fitness"]>;
type Measurement = NonNullable<Status["evidence"]>[number];
/** The part of an Adapter's status that is derived from evidence alone. */
export type Folded = Pick<Status, "fitness" | "evidence" | "champion" | "gate"> & Required<Pick<Status, "tier" | "archived">>;

type OfKind<Kind extends Evidence["kind"]> = Extract<Evidence, { kind: Kind }>;
const tiers = ["Task", "Domain", "ProjectRoot"] as const;

/**
 * What all decisions about an adapter amount to: the newest of each kind counts, by time and then by UID, so the
 * result doesn't depend on the order of the pieces or on where and when they are folded. Decisions of other namespaces
 * don't count: a shared adapter can't be archived or promoted for others.
 */
export function foldEvidence(adapter: Pick<Adapter, "metadata" | "spec">, pieces: readonly Evidence[]): Folded {
  const { artifact, control } = adapter.spec;
  const own = pieces.filter((piece) => piece.adapter.digest === artifact.digest && piece.by.namespace === adapter.metadata.namespace);
  const sorted = own.toSorted(newestFirst);
  const promotions = control ? [] : ofKind(sorted, "Promotion");
  const measured = ofKind(sorted, "Evaluation");
  const [archive] = sorted.filter(({ kind }) => kind === "Archival" || kind === "Restoration");
  const gate = measured.find((piece) => piece.gate);
  return {
    fitness: measured.map(fitnessOf)[0],
    evidence: measurementsOf(adapter, measured),
    tier: tiers[Math.max(0, ...promotions.map(({ tier }) => tiers.indexOf(tier)))] ?? "Task",
    archived: archive?.kind === "Archival",
    champion: championOf(promotions, ofKind(sorted, "Retirement")),
    gate: gate?.gate && { verdict: gate.gate.verdict, evaluation: gate.by.name, time: gate.time },
  };
}

/** Newest first; ties by UID, so that the order is total. */
export function newestFirst(a: Evidence, b: Evidence): number {
  return Date.parse(b.time) - Date.parse(a.time) || compare(b.by.uid, a.by.uid) || compare(b.kind, a.kind);
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

export function ofKind<Kind extends Evidence["kind"]>(pieces: readonly Evidence[], kind: Kind): OfKind<Kind>[] {
  return pieces.filter((piece): piece is OfKind<Kind> => piece.kind === kind);
}

function fitnessOf({ passAt1, base, taskSet, by, time }: OfKind<"Evaluation">): Fitness {
  return {
    passAt1: intervalOf(passAt1),
    ...(base && { base: intervalOf(base) }),
    evaluation: by.name,
    evaluationUID: by.uid,
    time,
    ...(taskSet && { taskSet }),
  };
}

/**
 * The newest fitness on each task set of the adapter's own project. A set of another project, or of none, means nothing
 * to sessions of this one and must not displace a set that does, so each set has a separate entry.
 */
function measurementsOf({ spec }: Pick<Adapter, "spec">, measured: readonly OfKind<"Evaluation">[]): Measurement[] | undefined {
  const { project } = spec.scope;
  const relevant = measured
    .map(fitnessOf)
    .flatMap((each) => (each.taskSet && project && each.taskSet.scope?.project === project ? [{ ...each, taskSet: each.taskSet }] : []));
  const newest = relevant.filter((each, index) => relevant.findIndex(({ taskSet }) => sameTasks(taskSet, each.taskSet)) === index);
  return newest.length > 0 ? newest.slice(0, mostEvidence) : undefined;
}

/** The scope of the newest promotion that isn't followed by a retirement for that scope. */
function championOf(promotions: readonly OfKind<"Promotion">[], retirements: readonly OfKind<"Retirement">[]): Scope | undefined {
  return promotions.find(
    (promotion) => !retirements.some((retired) => sameScope(retired.scope, promotion.scope) && newestFirst(retired, promotion) < 0),
  )?.scope;
}
