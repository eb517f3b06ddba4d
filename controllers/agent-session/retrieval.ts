import type { Adapter } from "@rune/crds/kinds/adapter";
import type { AgentSession } from "@rune/crds/kinds/agent-session";
import { Reason as Shared } from "../shared/reasons.ts";
import { isChampionScore, isEligible, type Ranked, rankedFor, reasonAgainst } from "../shared/retrieval.ts";
import { scopeWords } from "../shared/scope.ts";
import { SessionReason as Reason } from "./reasons.ts";

type Choice = NonNullable<NonNullable<AgentSession["status"]>["adapter"]>;

/** The adapter that a session works with, and why. None is a legitimate choice: a mismatched adapter does harm. */
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
  if (!adapter) return { reason: Shared.AdapterMissing, message: `the Adapter ${name} doesn't exist` };
  if (adapter.spec.base.digest !== baseDigest)
    return {
      reason: Shared.BaseMismatch,
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
  const relevant = rankedFor(
    session.spec.scope,
    adapters.filter((adapter) => isEligible(adapter, baseDigest) && !adapter.spec.control),
  );
  const against = new Map(relevant.map((each) => [each, reasonAgainst(each)]));
  const refused = relevant.flatMap((each) => (against.get(each) ? [`${each.adapter.metadata.name}: ${against.get(each)}`] : []));
  const ranked = relevant.filter((each) => !against.get(each));
  const considered = ranked
    .slice(0, mostConsidered)
    .map(({ adapter, score }) => ({ name: adapter.metadata.name, score: score.toFixed(3) }));
  const passedOver = refused.length > 0 ? `; ${refused.length} passed over: ${refused.slice(0, mostTold).join("; ")}` : "";
  const best = ranked[0];
  if (!best)
    return {
      reason: Reason.NoneRelevant,
      message: `none of ${adapters.length} adapters is Ready, made for this base, of this scope and not known to be worse; the base works without memory${passedOver}`,
      considered,
    };
  const { adapter } = best;
  return {
    name: adapter.metadata.name,
    digest: adapter.spec.artifact.digest,
    reason: Reason.MostRelevant,
    message: `${adapter.metadata.name} is the most relevant of ${ranked.length}: ${meritOf(best)}${passedOver}`,
    considered,
  };
}

/** Of those that are considered, how many are listed: what a session keeps of its choice stays small, however many adapters there are. */
const mostConsidered = 4;
/** The number of rejected adapters whose reason is in the message. */
const mostTold = 2;

function meritOf({ adapter, evidence, score }: Ranked): string {
  const measured = evidence
    ? `measured Pass@1 ${evidence.passAt1.estimate}, lower bound ${evidence.passAt1.lower}, on ${evidence.taskSet.tasks} tasks of ${evidence.taskSet.digest}`
    : "not measured on tasks of its scope that others can be compared by";
  return isChampionScore(score) ? `the champion of ${scopeWords(adapter.status?.champion ?? {})}, ${measured}` : measured;
}
