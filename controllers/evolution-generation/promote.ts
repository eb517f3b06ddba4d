import type { Adapter } from "@rune/crds/adapter";
import type { Interval } from "@rune/crds/common";
import type { Evaluation } from "@rune/crds/evaluation";
import { getCondition, isTerminal, isTrue, type Outcome, progressing, timestamp, waiting } from "kopf-ts";
import { sameTasks } from "../scope.ts";
import { evaluationsSpent, spentOf } from "./budget.ts";
import { inflationPoints } from "./inflation.ts";
import { decidingArms, decidingEvaluation, type RivalRole } from "./manifests.ts";
import { replaced } from "./measure.ts";
import { byLowerBound, measured, rateOf, words } from "./numbers.ts";
import { placeOf, sameScope, scopeWords } from "./place.ts";
import { GenerationReason } from "./reasons.ts";
import type { Child, Decision, Measurement, Promotion, World } from "./world.ts";

const retrySeconds = 30;
/** All gates of a chain together may be wrong as often as one of 95 %. */
const chanceOfError = 0.05;

/** Puts the best child to the test, on tasks that nobody was selected by: at most one of a generation, and it must win by its lower bound. */
export function promote(world: World, now: Date): Outcome {
  const { status } = world.generation;
  if (!status?.promotion) return choose(world);
  const entry = status.evaluations?.find(({ purpose }) => purpose === "Promotion");
  return entry ? follow(world, status.promotion, entry, now) : settled(world, { ...status.promotion, ...not("no evaluation was planned") });
}

const not = (why: string) => ({ outcome: "NotPromoted" as const, why: why.slice(0, 1000) });

type Scored = Child & { adapter: string; name: string; passAt1: Interval };

/** Children that were measured, the best lower bound first. */
const scored = (children: readonly Child[]): Scored[] =>
  measured(children)
    .flatMap((child) => (child.adapter ? [{ ...child, adapter: child.adapter, name: child.adapter }] : []))
    .toSorted(byLowerBound);

function choose(world: World): Outcome {
  const { generation } = world;
  const { status = {}, spec, metadata } = generation;
  const all = scored(status.children ?? []);
  const inflation = inflationPoints(all.map(({ passAt1 }) => passAt1)).toFixed(1);
  const nobody = (why: string) => settled(world, { inflationPoints: inflation, ...not(why) });
  const merged = all.filter(({ kind, state }) => kind === "Merge" && state === "Kept");
  if (merged.length === 0) return nobody("no merged child was made, measured and new; status.children says why");
  const baselines = all.filter(({ kind }) => kind !== "Merge");
  const candidate = merged.find((child) => baselines.every((other) => isAbove(child.passAt1, other.passAt1)));
  if (!candidate) return nobody(beatenBy(merged, baselines));
  const parents = measured(status.members ?? []).filter(({ name }) => candidate.parents.includes(name));
  const [parent] = parents.toSorted(byLowerBound);
  const place = placeOf(parents.map(({ scope }) => scope));
  if (!parent || !place) return nobody(`${candidate.adapter} would be nobody's champion: its parents have no project in common`);
  const champion = world.champions.find((each) => each.status?.champion && sameScope(each.status.champion, place.scope));
  const incumbent = champion?.metadata.name === candidate.adapter ? undefined : champion;
  const baseline = strongerOf(parent, incumbent, world);
  if (!isAbove(candidate.passAt1, baseline.passAt1 ?? parent.passAt1))
    return nobody(
      `${candidate.adapter} (${words(candidate.passAt1)}) is no better than ${baseline.name} (${words(baseline.passAt1 ?? parent.passAt1)}) on the tasks that select`,
    );
  const promotion: Promotion = {
    candidate: candidate.adapter,
    ...place,
    bestParent: parent.name,
    ...(incumbent && { incumbent: incumbent.metadata.name }),
    baseline: baseline.name,
    confidence: String(Number((1 - chanceOfError / spec.maxGenerations).toFixed(6))),
    inflationPoints: inflation,
    evaluation: `${metadata.name}-p`,
  };
  const adapters = [...new Set([candidate.adapter, ...rivalsOf(world, promotion).values()])];
  const entry: Measurement = { name: `${metadata.name}-p`, purpose: "Promotion", adapters, state: "Planned" };
  const message = `${candidate.adapter} is compared with ${baseline.name} on ${status.promotionTaskSet?.tasks} tasks that nobody was selected by`;
  return progressing(GenerationReason.Promoting, message, { promotion, evaluations: [...(status.evaluations ?? []), entry] }).atOnce();
}

const isAbove = (one: Interval, other: Interval) => rateOf(one).estimate > rateOf(other).estimate;

function beatenBy(merged: readonly Scored[], baselines: readonly Scored[]): string {
  const told = baselines.map(({ kind, adapter, passAt1 }) => `${kind === "Mean" ? "the mean" : "the union"} ${adapter} ${words(passAt1)}`);
  const [best] = merged;
  return `no child beats what it is compared with: the best, ${best?.adapter}, has ${best && words(best.passAt1)}, ${told.join(" and ")}`;
}

/** Whom the gate compares with: of the best parent and the champion of the scope, who is better on the tasks that select. */
function strongerOf(parent: { name: string; passAt1: Interval }, incumbent: Adapter | undefined, { generation }: World) {
  if (!incumbent) return parent;
  const name = incumbent.metadata.name;
  const known = generation.status?.members?.find((member) => member.name === name)?.passAt1;
  return known && isAbove(known, parent.passAt1) ? { name, passAt1: known } : parent;
}

/** Whom a candidate must beat, each once: the best parent may be the champion. */
function rivalsOf({ generation }: World, { bestParent, incumbent, candidate }: Promotion): Map<RivalRole, string> {
  const of = (kind: Child["kind"]) =>
    generation.status?.children?.find((child) => child.kind === kind && child.adapter && child.passAt1 && child.adapter !== candidate)
      ?.adapter;
  const wanted: [RivalRole, string | undefined][] = [
    ["BestParent", bestParent],
    ["Incumbent", incumbent === bestParent ? undefined : incumbent],
    ["Mean", of("Mean")],
    ["UnionRetrain", of("UnionRetrain")],
  ];
  return new Map(wanted.flatMap(([role, name]) => (name ? [[role, name] as const] : [])));
}

const baselineRole = ({ baseline, incumbent }: Promotion): RivalRole => (baseline === incumbent ? "Incumbent" : "BestParent");

function follow(world: World, promotion: Promotion, entry: Measurement, now: Date): Outcome {
  const { generation } = world;
  const found = world.evaluations.get(entry.name);
  const gone = entry.adapters.find((name) => !world.adapters.has(name));
  if (gone && !(found && isTerminal(found)))
    return untested(world, promotion, entry, `the Adapter ${gone} was deleted`).deleting(...(found ? [found] : []));
  if (!found) {
    if (entry.state === "Running") return untested(world, promotion, entry, `the Evaluation ${entry.name} was deleted`);
    const spent = evaluationsSpent(generation);
    if (spent) return untested(world, promotion, entry, spent, spent);
    const rivals = rivalsOf(world, promotion);
    const role = rivals.has(baselineRole(promotion)) ? baselineRole(promotion) : "BestParent";
    return progressing(GenerationReason.Promoting, `creates the Evaluation ${entry.name}`).creating(
      decidingEvaluation(generation, entry.name, promotion, rivals, role),
    );
  }
  if (entry.state === "Planned") {
    const evaluations = replaced(generation.status?.evaluations ?? [], { ...entry, state: "Running", uid: found.metadata.uid });
    return progressing(GenerationReason.Promoting, `the Evaluation ${entry.name} decides on ${promotion.candidate}`, {
      evaluations,
      spent: spentOf(generation, { evaluations }),
    });
  }
  const ended = [getCondition(found, "Failed"), getCondition(found, "Stalled")].find((condition) => condition?.status === "True");
  if (ended) return untested(world, promotion, entry, `${ended.reason}: ${ended.message}`);
  if (isTrue(found, "Succeeded")) return judge(world, promotion, entry, found, now);
  const why = getCondition(found, "Ready")?.message;
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
  const gains = new Map(found.status?.comparisons?.map(({ candidate, delta }) => [candidate, delta]));
  const delta = found.status?.delta;
  const rivals = [...rivalsOf(world, promotion)].flatMap(([role, adapter]) => {
    const gain = gains.get(decidingArms[role]);
    return gain ? [{ adapter, role, delta: gain }] : [];
  });
  const evaluations = replaced(status.evaluations ?? [], { ...entry, state: "Measured" });
  const known: Promotion = { ...promotion, ...(delta && { delta }), ...(rivals.length > 0 && { rivals }) };
  const isOn = found.status?.taskSet && status.promotionTaskSet && sameTasks(found.status.taskSet, status.promotionTaskSet);
  if (!isOn) return settled(world, { ...known, ...not("it was tested on other tasks than the generation began with") }, { evaluations });
  const said = delta ? `gained ${words(delta)} points over ${promotion.baseline}` : "has no interval";
  const gate = getCondition(found, "GatePassed");
  if (!delta || found.status?.verdict !== "Passed")
    return settled(
      world,
      {
        ...known,
        ...not(
          `${promotion.candidate} ${said}; the gate is ${found.status?.verdict ?? "unknown"}${gate?.message ? `: ${gate.message}` : ""}`,
        ),
      },
      { evaluations },
    );
  const stronger = rivals.find((rival) => rateOf(rival.delta).estimate >= rateOf(delta).estimate);
  if (stronger)
    return settled(
      world,
      { ...known, ...not(`${promotion.candidate} ${said}, and ${stronger.adapter} (${stronger.role}) ${words(stronger.delta)}`) },
      { evaluations },
    );
  const why = `${promotion.candidate} ${said} on ${status.promotionTaskSet?.tasks} tasks at a confidence of ${promotion.confidence}`;
  return settled(
    world,
    { ...known, outcome: "Promoted", why },
    { evaluations, decisions: [...(status.decisions ?? []), ...decisionsOf(world, known, why, now)] },
  );
}

/** The new champion, and the one before it. */
function decisionsOf({ generation, adapters }: World, promotion: Promotion, why: string, now: Date): Decision[] {
  const child = generation.status?.children?.find(({ adapter }) => adapter === promotion.candidate);
  const before = promotion.incumbent ? adapters.get(promotion.incumbent) : undefined;
  const of = scopeWords(promotion.scope ?? {});
  const time = timestamp(now);
  return [
    ...(child?.adapter && child.digest && child.repository
      ? [
          {
            kind: "Promotion" as const,
            adapter: child.adapter,
            digest: child.digest,
            repository: child.repository,
            time,
            why: `${promotion.tier} champion of ${of}: ${why}`.slice(0, 500),
            recorded: false,
          },
        ]
      : []),
    ...(before
      ? [
          {
            kind: "Retirement" as const,
            adapter: before.metadata.name,
            digest: before.spec.artifact.digest,
            repository: before.spec.artifact.repository,
            time,
            why: `${promotion.candidate} is the champion of ${of} now`,
            recorded: false,
          },
        ]
      : []),
  ];
}

function settled({ generation }: World, promotion: Promotion, more: object = {}): Outcome {
  const { outcome = "NotPromoted", why = "" } = promotion;
  const status = outcome === "Promoted" ? ("True" as const) : ("False" as const);
  const reason = GenerationReason[outcome];
  return progressing(GenerationReason.Promoting, why, { promotion, ...more })
    .condition({ type: "Promoted", status, reason, message: why })
    .event("Normal", reason, `generation ${generation.spec.generation}: ${why}`)
    .atOnce();
}
