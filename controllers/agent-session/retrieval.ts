import type { Adapter } from "@rune/crds/adapter";
import type { AgentSession } from "@rune/crds/agent-session";
import { isEligible, rankedFor } from "../retrieval.ts";
import { SessionReason as Reason } from "./reasons.ts";

type Choice = NonNullable<NonNullable<AgentSession["status"]>["adapter"]>;

/** The memory that a session works with, and why. "None" is a legitimate answer: a mismatched adapter hurts. */
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
  const ranked = rankedFor(
    session.spec.scope,
    adapters.filter((adapter) => isEligible(adapter, baseDigest) && !adapter.spec.control),
  );
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
