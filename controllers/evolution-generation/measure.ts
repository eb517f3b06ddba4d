import type { Evaluation } from "@rune/crds/kinds/evaluation";
import { ConditionType } from "@rune/crds/words/conditions";
import { getCondition, isTerminal, isTrue, type Outcome, progressing, waiting } from "kopf-ts";
import { Reason } from "../shared/reasons.ts";
import { sameTasks } from "../shared/scope.ts";
import { failureOf } from "../shared/time-to-live.ts";
import { evaluationsSpent, spentOf } from "./budget.ts";
import { armOf, baseArm, measuringEvaluation } from "./manifests.ts";
import { GenerationReason } from "./reasons.ts";
import { isIn } from "./steps.ts";
import type { Child, Measurement, Member, Status, World } from "./world.ts";

/** An evaluation has eight arms, one of which is always the base. */
const mostAdapters = 7;
const retrySeconds = 30;

type Purpose = "Members" | "Children";
/** Why an evaluation gave no result. `isCommon`: no adapter is to blame, so halving the batch wouldn't help. */
interface Failure {
  readonly why: string;
  readonly isCommon?: boolean;
  /** The part of the budget that is used up. */
  readonly exhausted?: string;
}
/** Reasons of an evaluation whose only problem is its tasks. */
const ofTasks: readonly string[] = [Reason.TaskSetMissing, Reason.NotATaskSet, GenerationReason.PartEmpty];

type Passes = NonNullable<NonNullable<Evaluation["status"]>["arms"]>[number]["passAt1"];

const reasonOf = { Members: GenerationReason.MeasuringMembers, Children: GenerationReason.MeasuringChildren } as const;

/** Measures members or children on the selecting tasks, at most seven at a time, beside the base. */
export function measure(world: World, purpose: Purpose): Outcome {
  const { generation } = world;
  const evaluations = generation.status?.evaluations ?? [];
  const open = evaluations.find((each) => each.purpose === purpose && (each.state === "Planned" || each.state === "Running"));
  return open ? follow(world, open) : plan(world, purpose);
}

/** Adapters that are still to be measured. */
function unmeasured({ members = [], children = [] }: Status, purpose: Purpose): string[] {
  if (purpose === "Members") return members.filter((member) => isIn(member) && !member.passAt1).map(({ name }) => name);
  return children.flatMap(({ state, adapter }) => (state === "Born" && adapter ? [adapter] : []));
}

function plan({ generation }: World, purpose: Purpose): Outcome {
  const { status = {}, metadata } = generation;
  const names = unmeasured(status, purpose);
  const batches = names.length === 0 ? [[]] : chunks(names, mostAdapters);
  const evaluations = withPlanned(metadata.name, status.evaluations ?? [], purpose, batches);
  const message = `${names.length} adapters are measured in ${batches.length} evaluations, one after the other`;
  return progressing(reasonOf[purpose], message, { evaluations }).atOnce();
}

function withPlanned(
  generation: string,
  before: readonly Measurement[],
  purpose: Measurement["purpose"],
  batches: readonly (readonly string[])[],
): Measurement[] {
  const planned = batches.map((adapters, index) => ({
    name: `${generation}-m${before.length + index + 1}`,
    purpose,
    adapters: [...adapters],
    state: "Planned" as const,
  }));
  return [...before, ...planned];
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, index) => items.slice(index * size, (index + 1) * size));
}

/** Follows the current evaluation. */
function follow(world: World, entry: Measurement): Outcome {
  const { generation } = world;
  const found = world.evaluations.get(entry.name);
  const gone = entry.adapters.filter((name) => !world.adapters.has(name));
  if (gone.length > 0 && !(found && isTerminal(found))) return withoutGone(world, entry, gone);
  if (!found) {
    if (entry.state === "Running") return failedToMeasure(world, entry, { why: `the Evaluation ${entry.name} was deleted` });
    const spent = evaluationsSpent(generation);
    if (spent) return failedToMeasure(world, entry, { why: spent, isCommon: true, exhausted: spent });
    return progressing(reasonOf[entry.purpose as Purpose], `creates the Evaluation ${entry.name}`).creating(
      measuringEvaluation(generation, entry),
    );
  }
  const running: Measurement = { ...entry, state: "Running", uid: found.metadata.uid };
  if (entry.state === "Planned") {
    const evaluations = replaced(generation.status?.evaluations ?? [], running);
    const status = { evaluations, spent: spentOf(generation, { evaluations }) };
    return progressing(
      reasonOf[entry.purpose as Purpose],
      `the Evaluation ${entry.name} measures ${entry.adapters.length} adapters`,
      status,
    );
  }
  const failure = failureIn(world, found);
  if (failure) return failedToMeasure(world, entry, failure);
  return isTrue(found, ConditionType.Succeeded) ? take(world, entry, found) : measuring(entry, found);
}

function measuring(entry: Measurement, found: Evaluation): Outcome {
  const words = getCondition(found, ConditionType.Ready)?.message;
  return waiting(
    reasonOf[entry.purpose as Purpose],
    `the Evaluation ${entry.name} measures ${entry.adapters.length} adapters${words ? `: ${words}` : ""}`,
    retrySeconds,
  );
}

/** Why an evaluation can give no result; null where it may. */
function failureIn({ generation }: Pick<World, "generation">, found: Evaluation): Failure | null {
  const ended = failureOf(found);
  if (ended) return { why: `${ended.reason}: ${ended.message}`, isCommon: ofTasks.includes(ended.reason) };
  const { taskSet } = generation.status ?? {};
  const isOn = found.status?.taskSet && taskSet && sameTasks(found.status.taskSet, taskSet);
  return isTrue(found, ConditionType.Succeeded) && !isOn
    ? { why: "it measured on other tasks than the population was frozen with", isCommon: true }
    : null;
}

export const replaced = (all: readonly Measurement[], entry: Measurement): Measurement[] =>
  all.map((each) => (each.name === entry.name ? entry : each));

/** Records the numbers of a finished evaluation. */
function take({ generation }: World, entry: Measurement, found: Evaluation): Outcome {
  const { status = {} } = generation;
  const passes = new Map(found.status?.arms?.map(({ name, passAt1 }) => [name, passAt1]));
  const of = new Map(entry.adapters.map((name, index) => [name, passes.get(armOf(index))]));
  const base = status.base ?? passes.get(baseArm);
  return progressing(reasonOf[entry.purpose as Purpose], `the Evaluation ${entry.name} measured ${entry.adapters.length} adapters`, {
    evaluations: replaced(status.evaluations ?? [], { ...entry, state: "Measured" }),
    ...(base && { base }),
    ...scored(status, of, found.metadata.uid),
  }).atOnce();
}

function scored(status: Status, of: ReadonlyMap<string, Passes>, evaluationUID: string): Pick<Status, "members" | "children"> {
  const member = (each: Member): Member => {
    if (!of.has(each.name)) return each;
    const passAt1 = of.get(each.name);
    return passAt1 ? { ...each, passAt1, evaluationUID } : { ...each, leftOut: "its evaluation has no Pass@1 of it" };
  };
  const child = (each: Child): Child => {
    if (!each.adapter || !of.has(each.adapter)) return each;
    const passAt1 = of.get(each.adapter);
    return passAt1
      ? { ...each, passAt1, evaluationUID, state: "Measured" }
      : { ...each, state: "Failed", why: "its evaluation has no Pass@1 of it" };
  };
  return {
    ...(status.members && { members: status.members.map(member) }),
    ...(status.children && { children: status.children.map(child) }),
  };
}

/** An evaluation would wait forever for a deleted Adapter; the others are measured without it. */
function withoutGone({ generation }: World, entry: Measurement, gone: readonly string[]): Outcome {
  const { status = {}, metadata } = generation;
  const message = `the Adapter ${gone.join(", ")} was deleted`.slice(0, 500);
  const failed = replaced(status.evaluations ?? [], { ...entry, state: "Failed", message });
  const left = entry.adapters.filter((name) => !gone.includes(name));
  const evaluations = left.length > 0 ? withPlanned(metadata.name, failed, entry.purpose, [left]) : failed;
  return progressing(reasonOf[entry.purpose as Purpose], message, {
    evaluations,
    ...unmeasurable(status, new Set(gone), "it was deleted"),
  }).atOnce();
}

/** Marks members and children that can't be measured, with the reason. */
function unmeasurable(status: Status, names: ReadonlySet<string>, why: string): Pick<Status, "members" | "children"> {
  return {
    ...(status.members && {
      members: status.members.map((each) => (names.has(each.name) && !each.passAt1 ? { ...each, leftOut: why } : each)),
    }),
    ...(status.children && {
      children: status.children.map((each) =>
        each.adapter && names.has(each.adapter) && each.state === "Born" ? { ...each, state: "Failed" as const, why } : each,
      ),
    }),
  };
}

/** An adapter that can't be measured doesn't affect the others: each half is measured separately until it is found. */
function failedToMeasure({ generation }: World, entry: Measurement, { why, isCommon, exhausted }: Failure): Outcome {
  const { status = {}, metadata } = generation;
  const failed = replaced(status.evaluations ?? [], { ...entry, state: "Failed", message: why.slice(0, 500) });
  const reason = reasonOf[entry.purpose as Purpose];
  if (!isCommon && entry.adapters.length > 1) {
    const half = Math.ceil(entry.adapters.length / 2);
    const halves = [entry.adapters.slice(0, half), entry.adapters.slice(half)];
    const evaluations = withPlanned(metadata.name, failed, entry.purpose, halves);
    return progressing(reason, `the Evaluation ${entry.name} failed, so each half of its adapters is measured: ${why}`, {
      evaluations,
    }).atOnce();
  }
  return progressing(reason, `the Evaluation ${entry.name} measures nothing: ${why}`, {
    evaluations: failed,
    ...unmeasurable(status, new Set(entry.adapters), `it couldn't be measured: ${why}`.slice(0, 500)),
    ...(exhausted && { exhausted }),
  }).atOnce();
}
