import { narrowness } from "@rune/clients/tasks/scope";
import type { MeasuredTasks } from "@rune/crds/fields/measurement";
import type { Scope } from "@rune/crds/fields/scope";
import type { Adapter } from "@rune/crds/kinds/adapter";
import { ConditionType } from "@rune/crds/words/conditions";
import { isTrue } from "kopf-ts";
import { keyOfTasks, sameTasks } from "./scope.ts";

/** Whether an adapter can be chosen on this base at all. */
export function isEligible(adapter: Adapter, baseDigest: string): boolean {
  return (
    isTrue(adapter, ConditionType.Ready) &&
    !adapter.status?.archived &&
    !adapter.metadata.deletionTimestamp &&
    adapter.spec.base.digest === baseDigest
  );
}

/**
 * The adapters whose scope includes this one, the best first: champions, those of the narrowest scope first; then all
 * others, by the narrowest scope, and within one by the best lower bound on the tasks that they are compared on.
 * Sessions of that scope choose, and evaluations assign, in this order.
 */
export function rankedFor(scope: Scope, adapters: readonly Adapter[]): Ranked[] {
  const relevant = adapters.map((adapter) => ({ adapter, level: levelOf(adapter, scope) })).filter(({ level }) => level > 0);
  return [...Map.groupBy(relevant, ({ level }) => level)]
    .sort(([a], [b]) => b - a)
    .flatMap(([level, members]) => rankedAt(level, members, scope));
}

type Evidence = NonNullable<NonNullable<Adapter["status"]>["evidence"]>[number];
export type Ranked = { adapter: Adapter; score: number; evidence: Evidence | undefined };

/** A score is a level of at most 3 plus a rate of at most 1. */
const championsAbove = 4;

export const isChampionScore = (score: number) => score > championsAbove;

/** Narrowness of the scope that it is champion of, ranked above all non-champions; else that of its own scope. */
function levelOf({ spec, status }: Adapter, scope: Scope): number {
  const championship = narrowness(status?.champion ?? {}, scope);
  return championship > 0 ? championsAbove + championship : narrowness(spec.scope, scope);
}

/**
 * Why an adapter's evidence rules out its automatic choice, or null: it failed the newest gate that it was the
 * candidate of, or even the upper bound of its Pass@1 is below the base's on the tasks that it is compared on.
 */
export function reasonAgainst({ adapter, evidence }: Ranked): string | null {
  const { gate } = adapter.status ?? {};
  if (gate?.verdict === "Failed") return `it failed the gate of the Evaluation ${gate.evaluation}`;
  if (!evidence?.base || Number(evidence.passAt1.upper) >= Number(evidence.base.estimate)) return null;
  return `its Pass@1 is at most ${evidence.passAt1.upper}, and the base's ${evidence.base.estimate}, in the Evaluation ${evidence.evaluation}`;
}

/**
 * Adapters of one level, the best first: by level plus the lower bound of Pass@1 (0 to 1) on the tasks for comparison.
 */
function rankedAt(level: number, members: readonly { adapter: Adapter }[], scope: Scope): Ranked[] {
  const yardstick = yardstickOf(
    members.flatMap(({ adapter }) => adapter.status?.evidence ?? []),
    scope,
  );
  return members
    .map(({ adapter }) => {
      const evidence = adapter.status?.evidence?.find(({ taskSet }) => yardstick && sameTasks(taskSet, yardstick));
      return { adapter, evidence, score: level + Number(evidence?.passAt1.lower ?? 0) };
    })
    .sort((a, b) => b.score - a.score || newestFirst(a.adapter, b.adapter));
}

/** The newest Adapter first; of the same second, by name. */
export const newestFirst = ({ metadata: a }: Adapter, { metadata: b }: Adapter) =>
  b.creationTimestamp.localeCompare(a.creationTimestamp) || a.name.localeCompare(b.name);

/**
 * The tasks on which adapters are compared: a set whose scope includes the session's; of those the one that most
 * adapters were measured on, then the narrowest, then the earliest measured. An adapter without a measurement on it
 * counts as not measured: an easy set of its own, or one of another scope, doesn't raise its rank, and a newcomer must
 * be measured on the incumbent's tasks.
 */
function yardstickOf(evidence: readonly Evidence[], scope: Scope): MeasuredTasks | undefined {
  const bySet = Map.groupBy(evidence, ({ taskSet }) => keyOfTasks(taskSet));
  const own = [...bySet.values()].flatMap((alike) => {
    const [one] = alike;
    const [first = ""] = alike.map(({ time }) => time).sort();
    return one ? [{ taskSet: one.taskSet, narrow: narrowness(one.taskSet.scope ?? {}, scope), measured: alike.length, first }] : [];
  });
  return own
    .filter(({ narrow }) => narrow > 0)
    .toSorted((a, b) => b.measured - a.measured || b.narrow - a.narrow || a.first.localeCompare(b.first))[0]?.taskSet;
}
