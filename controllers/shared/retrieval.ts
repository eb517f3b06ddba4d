import { narrowness } from "@rune/clients/tasks/scope";
import type { MeasuredTasks } from "@rune/crds/fields/measured";
import type { Scope } from "@rune/crds/fields/scope";
import type { Adapter } from "@rune/crds/kinds/adapter";
import { ConditionType } from "@rune/crds/words/conditions";
import { isTrue } from "kopf-ts";
import { sameTasks } from "./scope.ts";

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
 * The adapters whose scope takes in this one, the best first: the champions, of the narrowest scope first; then all others, of the narrowest
 * scope, and within a scope the one with the best lower bound on the tasks that they are compared by. This is what a session of that scope
 * chooses by, and what an evaluation assigns by.
 */
export function rankedFor(scope: Scope, adapters: readonly Adapter[]): Ranked[] {
  const relevant = adapters.map((adapter) => ({ adapter, level: levelOf(adapter, scope) })).filter(({ level }) => level > 0);
  return [...Map.groupBy(relevant, ({ level }) => level)]
    .sort(([a], [b]) => b - a)
    .flatMap(([level, members]) => rankedAt(level, members, scope));
}

type Evidence = NonNullable<NonNullable<Adapter["status"]>["evidence"]>[number];
export type Ranked = { adapter: Adapter; score: number; evidence: Evidence | undefined };

/** A score is a level of at most 3 and a rate of at most 1. */
const championsAbove = 4;

export const isChampionScore = (score: number) => score > championsAbove;

/** How narrow a scope is of which it is the champion, above all that are none; else how narrow its own is. */
function levelOf({ spec, status }: Adapter, scope: Scope): number {
  const championship = narrowness(status?.champion ?? {}, scope);
  return championship > 0 ? championsAbove + championship : narrowness(spec.scope, scope);
}

/**
 * What its own evidence says against choosing an adapter by itself, in words, or null: it failed the newest gate that it was the candidate
 * of, or even the upper end of its Pass@1 is below what the base has on the tasks that it is compared by.
 */
export function reasonAgainst({ adapter, evidence }: Ranked): string | null {
  const { gate } = adapter.status ?? {};
  if (gate?.verdict === "Failed") return `it failed the gate of the Evaluation ${gate.evaluation}`;
  if (!evidence?.base || Number(evidence.passAt1.upper) >= Number(evidence.base.estimate)) return null;
  return `its Pass@1 is at most ${evidence.passAt1.upper}, and the base's ${evidence.base.estimate}, in the Evaluation ${evidence.evaluation}`;
}

/** Adapters of one level, the best first: the level plus the lower bound of Pass@1 (0 to 1) on the tasks that all are compared by. */
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

const newestFirst = ({ metadata: a }: Adapter, { metadata: b }: Adapter) =>
  b.creationTimestamp.localeCompare(a.creationTimestamp) || a.name.localeCompare(b.name);

/**
 * The tasks that adapters are compared by: a set whose scope takes in the session, and of those the one that most of them were measured on,
 * then the narrowest, then the one that was measured first. Whoever wasn't measured on it counts as not measured: an easy set of one's own,
 * or somebody else's, buys no rank, and a newcomer is measured on what the incumbent was.
 */
function yardstickOf(evidence: readonly Evidence[], scope: Scope): MeasuredTasks | undefined {
  const own = evidence.map((each) => {
    const alike = evidence.filter(({ taskSet }) => sameTasks(taskSet, each.taskSet));
    const [first = each.time] = alike.map(({ time }) => time).sort();
    return { taskSet: each.taskSet, narrow: narrowness(each.taskSet.scope ?? {}, scope), measured: alike.length, first };
  });
  return own
    .filter(({ narrow }) => narrow > 0)
    .toSorted((a, b) => b.measured - a.measured || b.narrow - a.narrow || a.first.localeCompare(b.first))[0]?.taskSet;
}
