import { chosenTasks } from "@rune/clients/tasks/task-set";
import type { Adapter } from "@rune/crds/kinds/adapter";
import type { Evaluation } from "@rune/crds/kinds/evaluation";
import { mostChampions } from "@rune/crds/kinds/evolution-status";
import { ConditionType } from "@rune/crds/words/conditions";
import { getCondition, isTerminal, isTrue, type Outcome, progressing, timestamp, waiting } from "kopf-ts";
import { rateOf } from "../evidence/interval.ts";
import type { Blocker } from "../shared/check.ts";
import { Reason } from "../shared/reasons.ts";
import { isEligible, rankedFor } from "../shared/retrieval.ts";
import { sameTasks, scopeWords } from "../shared/scope.ts";
import { failureOf } from "../shared/time-to-live.ts";
import { evaluationsSpent, spentOf } from "./budget.ts";
import { candidateFor, rivalsOf } from "./candidate.ts";
import { absentChampionsOf, championsOf } from "./champions.ts";
import { scaledParentFor } from "./children.ts";
import { decidingArms, decidingEvaluation, type RivalRole } from "./manifests.ts";
import { replaced } from "./measure.ts";
import { intervalText } from "./ranking.ts";
import { GenerationReason } from "./reasons.ts";
import type { Decision, Measurement, Promotion, World } from "./world.ts";

const retrySeconds = 30;
/** Rivals whose place a promotion takes or whose work it claims to improve: an interval must show it. Others are controls. */
const provenRoles: ReadonlySet<RivalRole> = new Set(["BestParent", "Incumbent", "ScaledParent"]);

/** Tests the best child on tasks that weren't used for selection, once per generation; its lower bound must win. */
export function promote(world: World, now: Date): Outcome {
  const { status } = world.generation;
  if (!status?.promotion) return choose(world);
  const entry = status.evaluations?.find(({ purpose }) => purpose === "Promotion");
  return entry ? follow(world, status.promotion, entry, now) : settled(world, { ...status.promotion, ...not("no evaluation was planned") });
}

const not = (why: string) => ({ outcome: "NotPromoted" as const, why: why.slice(0, 1000) });

function choose(world: World): Outcome {
  const { status = {}, metadata } = world.generation;
  const chosen = candidateFor(world);
  if ("whyNobody" in chosen) return settled(world, { inflationPoints: chosen.inflationPoints, ...not(chosen.whyNobody) });
  const scaled = scaledParentFor(world.generation, chosen);
  if (scaled) {
    const words = `before ${chosen.candidate} is put to the test, ${chosen.bestParent} is measured at its strength`;
    return progressing(GenerationReason.Promoting, words, { children: [...(status.children ?? []), scaled] }).atOnce();
  }
  const shuffled = isShuffling(world);
  if (typeof shuffled === "object") {
    if (shuffled.retrySeconds !== undefined) return waiting(shuffled.reason, shuffled.message, shuffled.retrySeconds);
    return settled(world, { ...chosen, ...not(`${chosen.candidate} couldn't be tested: ${shuffled.message}`) });
  }
  const name = `${metadata.name}-p`;
  const promotion = { ...chosen, shuffled, evaluation: name };
  const adapters = [...new Set([promotion.candidate, ...rivalsOf(world, promotion).values()])];
  const entry: Measurement = { name, purpose: "Promotion", adapters, state: "Planned" };
  const message = `${promotion.candidate} is compared with ${promotion.baseline} on ${status.promotionTaskSet?.tasks} tasks that nobody was selected by`;
  return progressing(GenerationReason.Promoting, message, { promotion, evaluations: [...(status.evaluations ?? []), entry] }).atOnce();
}

/**
 * Whether an arm can answer each deciding task with another task's adapter: sessions of these tasks would choose at
 * least two adapters of the current population, and the server accepts them. Or why the tasks can't be read.
 */
function isShuffling({ generation: { spec }, deciding, population, server }: World): boolean | Blocker {
  if (!deciding || "blocker" in deciding) return deciding?.blocker ?? { reason: Reason.TaskSetMissing, message: "no task set was read" };
  const tasks = chosenTasks(deciding.set, { ...spec.promotion.taskSet, seed: spec.seed });
  const adapters = population.filter((adapter) => isEligible(adapter, server?.status?.baseDigest ?? ""));
  const scopes = new Map(tasks.map(({ scope = {} }) => [JSON.stringify(scope), scope]));
  const chosen = new Set([...scopes.values()].flatMap((scope) => rankedFor(scope, adapters)[0]?.adapter ?? []));
  const most = server?.spec.adapters.maxRank ?? Number.POSITIVE_INFINITY;
  return chosen.size >= 2 && [...chosen].every(({ spec: { rank } }) => rank <= most);
}

function follow(world: World, promotion: Promotion, entry: Measurement, now: Date): Outcome {
  const { generation } = world;
  const found = world.evaluations.get(entry.name);
  const gone = entry.adapters.find((name) => !world.adapters.has(name));
  if (gone && !(found && isTerminal(found))) return untested(world, promotion, entry, `the Adapter ${gone} was deleted`);
  if (!found) {
    if (entry.state === "Running") return untested(world, promotion, entry, `the Evaluation ${entry.name} was deleted`);
    const spent = evaluationsSpent(generation);
    if (spent) return untested(world, promotion, entry, spent, spent);
    const rivals = rivalsOf(world, promotion);
    return progressing(GenerationReason.Promoting, `creates the Evaluation ${entry.name}`).creating(
      decidingEvaluation(generation, promotion, rivals),
    );
  }
  if (entry.state === "Planned") {
    const evaluations = replaced(generation.status?.evaluations ?? [], { ...entry, state: "Running", uid: found.metadata.uid });
    return progressing(GenerationReason.Promoting, `the Evaluation ${entry.name} decides on ${promotion.candidate}`, {
      evaluations,
      spent: spentOf(generation, { evaluations }),
    });
  }
  const ended = failureOf(found);
  if (ended) return untested(world, promotion, entry, `${ended.reason}: ${ended.message}`);
  if (isTrue(found, ConditionType.Succeeded)) return judge(world, promotion, entry, found, now);
  const why = getCondition(found, ConditionType.Ready)?.message;
  return waiting(
    GenerationReason.Promoting,
    `the Evaluation ${entry.name} decides on ${promotion.candidate}${why ? `: ${why}` : ""}`,
    retrySeconds,
  );
}

function untested(world: World, promotion: Promotion, entry: Measurement, why: string, exhausted?: string): Outcome {
  const evaluations = replaced(world.generation.status?.evaluations ?? [], { ...entry, state: "Failed", message: why.slice(0, 500) });
  return settled(
    world,
    { ...promotion, ...not(`${promotion.candidate} couldn't be tested: ${why}`) },
    { evaluations, ...(exhausted && { exhausted }) },
  );
}

function judge(world: World, promotion: Promotion, entry: Measurement, found: Evaluation, now: Date): Outcome {
  const { status = {} } = world.generation;
  const evaluations = replaced(status.evaluations ?? [], { ...entry, state: "Measured" });
  const known = withNumbers(world, promotion, found);
  const lost = whyNot(world, known, found) ?? overtaken(world, known);
  if (lost) return settled(world, { ...known, ...not(lost) }, { evaluations });
  const { confidence, leftOut } = promotion;
  const tested = `${gainOf(known)} on ${status.promotionTaskSet?.tasks} tasks at a confidence of ${confidence}`;
  const why = leftOut ? `${tested}; ${leftOut}` : tested;
  const decisions = [...(status.decisions ?? []), ...decisionsOf(world, known, why, now)];
  return settled(world, { ...known, outcome: "Promoted", why }, { evaluations, decisions });
}

/** Adds the evaluation's results for the candidate, and for its rivals other than the gate's baseline. */
function withNumbers(world: World, promotion: Promotion, { status }: Evaluation): Promotion {
  const compared = new Map(status?.comparisons?.map(({ candidate, ...numbers }) => [candidate, numbers]));
  const rivals = [...rivalsOf(world, promotion)].flatMap(([role, adapter]) => {
    const numbers = compared.get(decidingArms[role]);
    return numbers ? [{ adapter, role, ...numbers }] : [];
  });
  return { ...promotion, ...(status?.delta && { delta: status.delta }), ...(rivals.length > 0 && { rivals }) };
}

const gainOf = ({ candidate, baseline, delta }: Promotion) =>
  `${candidate} ${delta ? `gained ${intervalText(delta)} points over ${baseline}` : "has no interval"}`;

/** Why the candidate isn't promoted; null where it is. */
function whyNot({ generation }: World, promotion: Promotion, found: Evaluation): string | null {
  const { status } = found;
  const decidedBy = generation.status?.promotionTaskSet;
  if (!status?.taskSet || !decidedBy || !sameTasks(status.taskSet, decidedBy))
    return "it was tested on other tasks than the generation began with";
  const { delta, rivals = [] } = promotion;
  if (!delta || status.verdict !== "Passed") {
    const gate = getCondition(found, ConditionType.GatePassed)?.message;
    return `${gainOf(promotion)}; the gate is ${status.verdict ?? "unknown"}${gate ? `: ${gate}` : ""}`;
  }
  const stronger = rivals.find((rival) => rateOf(rival.delta).estimate >= rateOf(delta).estimate);
  if (stronger) return `${gainOf(promotion)}, and ${stronger.adapter} (${stronger.role}) ${intervalText(stronger.delta)}`;
  const { marginPoints } = generation.spec.promotion;
  const unproven = rivals.find(({ role, lead }) => provenRoles.has(role) && !(lead && rateOf(lead).lower > marginPoints));
  if (!unproven) return null;
  const { adapter, role, lead } = unproven;
  const over = lead ? `${intervalText(lead)} points over` : "no interval over";
  return `${gainOf(promotion)}, but ${over} ${adapter} (${role}): the whole interval must be above ${marginPoints}`;
}

/** Why a champion that the candidate wasn't compared with prevents its promotion; null where there is none. */
function overtaken(world: World, promotion: Promotion): string | null {
  const { candidate, incumbent, alsoChampions = [], scope = {} } = promotion;
  const newcomer = championsOf(scope, baseOf(world, promotion), world.champions)
    .map(({ metadata }) => metadata.name)
    .find((name) => ![candidate, incumbent, ...alsoChampions].includes(name));
  if (!newcomer) return null;
  return `${gainOf(promotion)}, but ${newcomer} has become the champion of ${scopeWords(scope)} meanwhile, and wasn't measured beside it; the next generation will meet that one`;
}

const baseOf = ({ adapters, server }: World, { candidate = "" }: Promotion) =>
  adapters.get(candidate)?.spec.base.digest ?? server?.status?.baseDigest;

/**
 * The champions whose place the candidate takes: those it was compared with, and absent ones. A decision about weights
 * applies to every Adapter that has them, so weights are named once, and the candidate's aren't.
 */
function predecessorsOf(world: World, promotion: Promotion, candidateDigest: string | undefined): Adapter[] {
  const { incumbent, alsoChampions = [], scope = {} } = promotion;
  const met = [incumbent, ...alsoChampions].flatMap((name) => (name ? (world.adapters.get(name) ?? []) : []));
  const all = [...met, ...absentChampionsOf(scope, baseOf(world, promotion), world.champions)];
  const digests = all.map(({ spec }) => spec.artifact.digest);
  return all
    .filter((_, index) => digests[index] !== candidateDigest && digests.indexOf(digests[index] ?? "") === index)
    .slice(0, 1 + mostChampions);
}

/** The new champion's promotion, and the retirement of its predecessors. */
function decisionsOf(world: World, promotion: Promotion, why: string, now: Date): Decision[] {
  const child = world.generation.status?.children?.find(({ adapter }) => adapter === promotion.candidate);
  const before = predecessorsOf(world, promotion, child?.digest);
  const of = scopeWords(promotion.scope ?? {});
  const common = { time: timestamp(now), recorded: false };
  const promoted = child?.adapter &&
    child.digest &&
    child.repository && { adapter: child.adapter, digest: child.digest, repository: child.repository };
  const retired = before.map(({ metadata: { name }, spec: { artifact } }) => ({
    adapter: name,
    digest: artifact.digest,
    repository: artifact.repository,
  }));
  return [
    ...(promoted
      ? [{ kind: "Promotion" as const, ...promoted, ...common, why: `${promotion.tier} champion of ${of}: ${why}`.slice(0, 500) }]
      : []),
    ...retired.map((each) => ({
      kind: "Retirement" as const,
      ...each,
      ...common,
      why: `${promotion.candidate} is the champion of ${of} now`,
    })),
  ];
}

function settled({ generation }: World, promotion: Promotion, more: object = {}): Outcome {
  const { outcome = "NotPromoted", why = "" } = promotion;
  const status = outcome === "Promoted" ? ("True" as const) : ("False" as const);
  const reason = GenerationReason[outcome];
  return progressing(GenerationReason.Promoting, why, { promotion, ...more })
    .condition({ type: ConditionType.Promoted, status, reason, message: why })
    .event("Normal", reason, `generation ${generation.spec.generation}: ${why}`)
    .atOnce();
}
