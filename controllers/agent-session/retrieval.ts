import type { Adapter } from "@rune/crds/adapter";
import type { AgentSession } from "@rune/crds/agent-session";
import type { MeasuredTasks } from "@rune/crds/common";
import { isTrue } from "kopf-ts";
import { narrowness, sameTasks } from "../scope.ts";
import { SessionReason as Reason } from "./reasons.ts";

type Choice = NonNullable<NonNullable<AgentSession["status"]>["adapter"]>;

/**
 * The memory that a session works with, and why: the adapter of the narrowest scope that fits, and within a scope the one with the best
 * lower bound on the tasks that they are compared by. "None" is a legitimate answer: a mismatched adapter hurts.
 */
export function chooseAdapter(session: AgentSession, baseDigest: string, adapters: readonly Adapter[]): Choice {
  switch (session.spec.adapter.policy) {
    case "None":
      return { reason: Reason.PolicyNone, message: "spec.adapter.policy is None: the base works without memory" };
    case "Fixed":
      return fixed(session.spec.adapter.name ?? "", baseDigest, adapters);
    case "Auto":
      return automatic(session, baseDigest, adapters);
    default:
      return session.spec.adapter.policy satisfies never;
  }
}

function fixed(name: string, baseDigest: string, adapters: readonly Adapter[]): Choice {
  const adapter = adapters.find((candidate) => candidate.metadata.name === name);
  if (!adapter) return { reason: Reason.AdapterMissing, message: `the Adapter ${name} doesn't exist` };
  if (adapter.spec.base.digest !== baseDigest)
    return {
      reason: Reason.BaseMismatch,
      message: `the Adapter ${name} was made for base ${adapter.spec.base.digest}, the server runs ${baseDigest}`,
    };
  if (adapter.spec.control)
    return {
      reason: Reason.ControlAdapter,
      message: `the Adapter ${name} is a control that knows nothing; only Evaluations use it, to measure others against`,
    };
  return { name, digest: adapter.spec.artifact.digest, reason: Reason.PolicyFixed, message: `spec.adapter names ${name}` };
}

function automatic(session: AgentSession, baseDigest: string, adapters: readonly Adapter[]): Choice {
  const relevant = adapters
    .filter(
      (adapter) =>
        isTrue(adapter, "Ready") &&
        !adapter.status?.archived &&
        !adapter.spec.control &&
        !adapter.metadata.deletionTimestamp &&
        adapter.spec.base.digest === baseDigest,
    )
    .map((adapter) => ({ adapter, level: narrowness(adapter.spec.scope, session.spec.scope) }))
    .filter(({ level }) => level > 0);
  const ranked = [...Map.groupBy(relevant, ({ level }) => level)]
    .sort(([a], [b]) => b - a)
    .flatMap(([level, members]) => rankedAt(level, members, session));
  const considered = ranked.slice(0, 20).map(({ adapter, score }) => ({ name: adapter.metadata.name, score: score.toFixed(3) }));
  const best = ranked[0];
  if (!best)
    return {
      reason: Reason.NoneRelevant,
      message: `none of ${adapters.length} adapters is Ready, made for this base and of this scope; the base works without memory`,
      considered,
    };
  const { adapter, evidence } = best;
  const measured = evidence
    ? `measured Pass@1 ${evidence.passAt1.estimate}, lower bound ${evidence.passAt1.lower}, on ${evidence.taskSet.tasks} tasks of ${evidence.taskSet.digest}`
    : "not measured on tasks of its scope that others can be compared by";
  return {
    name: adapter.metadata.name,
    digest: adapter.spec.artifact.digest,
    reason: Reason.MostRelevant,
    message: `${adapter.metadata.name} is the most relevant of ${ranked.length}: ${measured}`,
    considered,
  };
}

type Evidence = NonNullable<NonNullable<Adapter["status"]>["evidence"]>[number];
type Ranked = { adapter: Adapter; score: number; evidence: Evidence | undefined };

/** Adapters of one level, the best first: the level plus the lower bound of Pass@1 (0 to 1) on the tasks that all are compared by. */
function rankedAt(level: number, members: readonly { adapter: Adapter }[], session: AgentSession): Ranked[] {
  const yardstick = yardstickOf(
    members.flatMap(({ adapter }) => adapter.status?.evidence ?? []),
    session,
  );
  return members
    .map(({ adapter }) => {
      const evidence = adapter.status?.evidence?.find(({ taskSet }) => yardstick && sameTasks(taskSet, yardstick));
      return { adapter, evidence, score: level + Number(evidence?.passAt1.lower ?? 0) };
    })
    .sort((a, b) => b.score - a.score || b.adapter.metadata.creationTimestamp.localeCompare(a.adapter.metadata.creationTimestamp));
}

/**
 * The tasks that adapters are compared by: a set whose scope takes in the session, and of those the one that most of them were measured on,
 * then the narrowest, then the one that was measured first. Whoever wasn't measured on it counts as not measured: an easy set of one's own,
 * or somebody else's, buys no rank, and a newcomer is measured on what the incumbent was.
 */
function yardstickOf(evidence: readonly Evidence[], session: AgentSession): MeasuredTasks | undefined {
  const own = evidence.map((each) => {
    const alike = evidence.filter(({ taskSet }) => sameTasks(taskSet, each.taskSet));
    const [first = each.time] = alike.map(({ time }) => time).sort();
    return { taskSet: each.taskSet, narrow: narrowness(each.taskSet.scope ?? {}, session.spec.scope), measured: alike.length, first };
  });
  return own
    .filter(({ narrow }) => narrow > 0)
    .toSorted((a, b) => b.measured - a.measured || b.narrow - a.narrow || a.first.localeCompare(b.first))[0]?.taskSet;
}
