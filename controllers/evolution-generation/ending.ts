import type { EvolutionGeneration } from "@rune/crds/kinds/evolution-generation";
import { apiVersion } from "@rune/crds/words/group";
import { label } from "@rune/crds/words/labels";
import { type DynamicObject, type Outcome, progressing, stalled, succeeded } from "kopf-ts";
import { rateOf } from "../evidence/interval.ts";
import { repairSeconds } from "../shared/check.ts";
import { sameTasks } from "../shared/scope.ts";
import { evaluationsSpent, hoursSpent, spentOf } from "./budget.ts";
import { byLowerBound, intervalText, measured } from "./ranking.ts";
import { GenerationReason } from "./reasons.ts";
import { labelsMissing } from "./record.ts";
import { inheritance, retrained } from "./retraining.ts";
import { isIn } from "./steps.ts";
import { type Track, tracked } from "./tracking.ts";
import type { Status, World } from "./world.ts";

/** Consecutive generations without a better adapter, after which no improvement is expected. */
const longestStandstill = 2;

type Best = NonNullable<Status["best"]>;
type Former = NonNullable<EvolutionGeneration["spec"]["former"]>;

/** The best adapter so far, and the number of generations without a better one, by measurements on the same tasks. */
function standingOf({ spec, status = {} }: EvolutionGeneration): { best: Best | undefined; withoutImprovement: number } {
  const { taskSet, members = [], children = [] } = status;
  const mine = members.filter(isIn);
  const born = children.flatMap((child) => (child.state === "Kept" && child.adapter ? [{ ...child, name: child.adapter }] : []));
  const of = (found: { name: string; passAt1: Best["passAt1"] } | undefined): Best | undefined =>
    found && taskSet && { adapter: found.name, taskSet, passAt1: found.passAt1 };
  const best = of([...measured(mine), ...measured(born)].toSorted(byLowerBound)[0]);
  const before = spec.former?.best;
  const comparable = before && taskSet && sameTasks(before.taskSet, taskSet) ? before : undefined;
  const yardstick = comparable ?? of(measured(mine).toSorted(byLowerBound)[0]);
  const improved = best && (!yardstick || rateOf(best.passAt1).lower > rateOf(yardstick.passAt1).lower);
  if (improved) return { best, withoutImprovement: 0 };
  return { best: comparable ?? best, withoutImprovement: (spec.former?.withoutImprovement ?? 0) + 1 };
}

/** The end of a generation: the next one, or why there is none. */
export function end(world: World, track: Track): Outcome {
  const { generation } = world;
  const labels = labelsMissing(world);
  if (labels.length > 0)
    return progressing(GenerationReason.Recording, `labels ${labels.length} children`)
      .applying(...labels)
      .atOnce();
  const { spec, status = {} } = generation;
  const spent = spentOf(generation);
  const { best, withoutImprovement } = standingOf(generation);
  const known = { spent, withoutImprovement, ...(best && { best }) };
  const telling = tracked(world, known, track);
  if (telling) return telling;
  const over = whyOver(generation, withoutImprovement);
  const { promotion, memberCount, archived = 0 } = status;
  const story = `${memberCount} members, ${archived} archived; ${promotion?.why ?? "nothing was promoted"}`;
  if (over)
    return succeeded(known, { reason: over.reason, message: `${over.message}; ${story}` }).event("Normal", over.reason, over.message);
  const retraining = retrained(world);
  if (retraining) return retraining;
  const next = nextGeneration(generation, formerOf(generation, known));
  const name = next.metadata.name;
  if (world.next && world.next.metadata.labels?.[label.formerUID] !== generation.metadata.uid)
    return stalled(
      GenerationReason.NextExists,
      `an EvolutionGeneration ${name} of another chain exists; delete it, and this chain goes on`,
    ).again(repairSeconds);
  return succeeded({ ...known, next: name }, { reason: GenerationReason.Continued, message: `${name} goes on; ${story}` })
    .creating(next)
    .event(
      "Normal",
      GenerationReason.Continued,
      `generation ${spec.generation + 1} is ${name}; the best adapter is ${best?.adapter} with ${best && intervalText(best.passAt1)}`,
    );
}

function whyOver(generation: EvolutionGeneration, withoutImprovement: number): { reason: string; message: string } | null {
  const { spec, status } = generation;
  const exhausted = status?.exhausted ?? evaluationsSpent(generation) ?? hoursSpent(generation);
  if (exhausted) return { reason: GenerationReason.BudgetExhausted, message: exhausted };
  if (spec.generation >= spec.maxGenerations)
    return { reason: GenerationReason.GenerationsReached, message: `this was the last of ${spec.maxGenerations} generations` };
  if (withoutImprovement >= longestStandstill)
    return { reason: GenerationReason.NoImprovement, message: `${withoutImprovement} generations brought no better adapter` };
  return null;
}

/** What the next generation needs, copied into its spec because this one may be deleted by then. */
function formerOf(
  { metadata, status = {} }: EvolutionGeneration,
  known: Omit<Former, "name" | "belowBase" | "promoted" | "archived">,
): Former {
  const archived = new Set(
    (status.decisions ?? []).filter(({ kind, recorded }) => kind === "Archival" && recorded).map(({ adapter }) => adapter),
  );
  const belowBase = (status.members ?? []).flatMap(({ name, belowBase: generations }) =>
    generations && !archived.has(name) ? [{ name, generations }] : [],
  );
  const { promoted } = status;
  return { name: metadata.name, ...known, belowBase, ...(promoted && { promoted }), archived: [...archived] };
}

export const nameOfNext = ({ metadata, spec }: EvolutionGeneration) => `${spec.rootRef?.name ?? metadata.name}-g${spec.generation + 1}`;

/**
 * It has no owner, because its decisions outlive the first one. The label with this one's UID identifies it after a
 * crash.
 */
function nextGeneration(source: EvolutionGeneration, former: Former): DynamicObject {
  const { metadata, spec } = source;
  const root = spec.rootRef ?? { name: metadata.name, uid: metadata.uid };
  const generation = spec.generation + 1;
  const { suspend: _, requires: __, ...copied } = spec;
  const { variation, pairs } = inheritance(source);
  return {
    apiVersion,
    kind: "EvolutionGeneration",
    metadata: {
      name: nameOfNext(source),
      namespace: metadata.namespace,
      labels: { [label.generation]: metadata.name, [label.formerUID]: metadata.uid },
    },
    spec: { ...copied, variation, generation, rootRef: root, former: { ...former, ...(pairs !== undefined && { pairs }) } },
  };
}
