import type { Evaluation } from "@rune/crds/kinds/evaluation";
import type { EvolutionGeneration } from "@rune/crds/kinds/evolution-generation";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import { type DynamicObject, isTerminal, type Outcome, progressing, unchanged, waiting } from "kopf-ts";
import { repairSeconds } from "../shared/check.ts";
import { Reason } from "../shared/reasons.ts";
import type { StoreTasks } from "../shared/task-set.ts";
import { expire } from "../shared/time-to-live.ts";
import { begin } from "./begin.ts";
import { breed } from "./breed.ts";
import { dropDuplicates } from "./duplicates.ts";
import { end } from "./ending.ts";
import type { StoreEvidence } from "./evidence.ts";
import { measure } from "./measure.ts";
import { promote } from "./promote.ts";
import { prune } from "./prune.ts";
import { recordDecisions } from "./record.ts";
import { select } from "./select.ts";
import { stepOf } from "./steps.ts";
import type { Track } from "./tracking.ts";
import type { World } from "./world.ts";

/** Writes to the registry and the experiment tracker. */
export interface Store {
  readonly tasks: StoreTasks;
  readonly evidence: StoreEvidence;
  readonly track: Track;
}

/** One step per pass. Each decision is in status, with its numbers, before anything depends on it. */
export function decide(world: World, store: Store, now: Date): Outcome {
  return world.generation.metadata.deletionTimestamp ? unchanged() : step(world, store, now).deleting(...givenUp(world));
}

function step(world: World, store: Store, now: Date): Outcome {
  const { generation } = world;
  if (isTerminal(generation)) return expire(generation, now);
  const holding = suspender(world);
  if (holding) return suspend(world, holding);
  if (generation.status?.paused) return resume(world);
  const current = stepOf(generation);
  switch (current) {
    case "Begin":
      return begin(world, store.tasks, now);
    case "MeasureMembers":
      return measure(world, "Members");
    case "Select":
      return select(world);
    case "Breed":
      return breed(world, now);
    case "MeasureChildren":
      return measure(world, "Children");
    case "DropDuplicates":
      return dropDuplicates(world, now);
    case "Promote":
      return promote(world, now);
    case "Prune":
      return prune(world, now);
    case "Record":
      return recordDecisions(world, store.evidence, now);
    case "End":
      return end(world, store.track);
    default:
      return current satisfies never;
  }
}

/** Which spec suspends this generation: its own, or that of its chain's first. */
function suspender({ generation, root }: World): string | null {
  if (generation.spec.suspend) return "spec.suspend is true";
  return root?.spec.suspend ? `spec.suspend of ${root.metadata.name}, the first generation, is true` : null;
}

/** Suspends unfinished runs and evaluations too. They resume with it, even those that were suspended by hand before. */
function suspend(world: World, why: string): Outcome {
  const running = underWay(world).filter(({ spec }) => !spec.suspend);
  const status = running.length > 0 || world.generation.status?.paused ? { paused: true } : {};
  return waiting(Reason.Suspended, `${why}; set it back to go on`, repairSeconds, status).applying(
    ...running.map((each) => suspended(each, true)),
  );
}

function resume(world: World): Outcome {
  const held = underWay(world).filter(({ spec }) => spec.suspend);
  if (held.length === 0) return progressing(Reason.Suspended, "goes on", { paused: undefined }).atOnce();
  return progressing(Reason.Suspended, `${held.length} runs and evaluations go on`).applying(...held.map((each) => suspended(each, false)));
}

/**
 * Unfinished runs and evaluations that status calls failed: they wait for a person and keep their adapters in use.
 * Status is written first, and every pass looks, so that none is left after a crash.
 */
function givenUp({ generation: { status = {} }, runs, evaluations }: World): (TrainingRun | Evaluation)[] {
  const failed = [
    ...(status.children ?? []).flatMap(({ run, state }) => (state === "Failed" ? (runs.get(run) ?? []) : [])),
    ...(status.evaluations ?? []).flatMap(({ name, state }) => (state === "Failed" ? (evaluations.get(name) ?? []) : [])),
  ];
  return failed.filter((each) => !isTerminal(each) && !each.metadata.deletionTimestamp);
}

function underWay(world: World) {
  const left = givenUp(world);
  return [...world.runs.values(), ...world.evaluations.values()].filter((each) => !isTerminal(each) && !left.includes(each));
}

const suspended = (
  { apiVersion, kind, metadata: { name, namespace, uid } }: Pick<EvolutionGeneration, "apiVersion" | "kind" | "metadata">,
  suspend: boolean,
): DynamicObject => ({ apiVersion, kind, metadata: { name, namespace, uid }, spec: { suspend } });
