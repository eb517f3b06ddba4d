import type { Adapter } from "@rune/crds/adapter";
import type { AgentSession } from "@rune/crds/agent-session";
import { isTrue } from "kopf-ts";
import { SessionReason as Reason } from "./reasons.ts";

type Choice = NonNullable<NonNullable<AgentSession["status"]>["adapter"]>;

/** From the narrowest scope to the widest; an adapter of another project is never relevant. */
const levels = ["task", "domain", "project"] as const;

/**
 * The memory that a session works with, and why: the adapter of the narrowest scope that fits, and within a scope the
 * one with the best measured lower bound. "None" is a legitimate answer: a mismatched adapter hurts.
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
  return { name, digest: adapter.spec.artifact.digest, reason: Reason.PolicyFixed, message: `spec.adapter names ${name}` };
}

function automatic(session: AgentSession, baseDigest: string, adapters: readonly Adapter[]): Choice {
  const ranked = adapters
    .filter(
      (adapter) =>
        isTrue(adapter, "Ready") &&
        !adapter.status?.archived &&
        !adapter.metadata.deletionTimestamp &&
        adapter.spec.base.digest === baseDigest,
    )
    .flatMap((adapter) => {
      const score = relevance(session, adapter);
      return score === null ? [] : [{ adapter, score }];
    })
    .sort((a, b) => b.score - a.score || b.adapter.metadata.creationTimestamp.localeCompare(a.adapter.metadata.creationTimestamp));
  const considered = ranked.slice(0, 20).map(({ adapter, score }) => ({ name: adapter.metadata.name, score: score.toFixed(3) }));
  const best = ranked[0]?.adapter;
  if (!best)
    return {
      reason: Reason.NoneRelevant,
      message: `none of ${adapters.length} adapters is Ready, made for this base and of this scope; the base works without memory`,
      considered,
    };
  const measured = best.status?.fitness
    ? `measured Pass@1 ${best.status.fitness.passAt1.estimate}, lower bound ${best.status.fitness.passAt1.lower}`
    : "not measured yet";
  return {
    name: best.metadata.name,
    digest: best.spec.artifact.digest,
    reason: Reason.MostRelevant,
    message: `${best.metadata.name} is the most relevant of ${ranked.length}: ${measured}`,
    considered,
  };
}

/** How narrow the shared scope is (3 task, 2 domain, 1 project) plus the measured lower bound of Pass@1 (0 to 1); null when it doesn't apply. */
export function relevance(session: AgentSession, adapter: Adapter): number | null {
  const own = adapter.spec.scope;
  if (!own.project || own.project !== session.spec.scope.project) return null;
  if (own.domain && own.domain !== session.spec.scope.domain) return null;
  if (own.task && own.task !== session.spec.scope.task) return null;
  const level = levels.findIndex((key) => own[key] !== undefined);
  return levels.length - level + Number(adapter.status?.fitness?.passAt1.lower ?? 0);
}
