import type { HeldOutTask } from "@rune/crds/contracts/task-set";
import type { Adapter } from "@rune/crds/kinds/adapter";
import { ConditionType } from "@rune/crds/words/conditions";
import { isTerminal, isTrue } from "kopf-ts";
import type { Blocker } from "../shared/check.ts";
import { Reason } from "../shared/reasons.ts";
import { isEligible } from "../shared/retrieval.ts";
import { isGenerated } from "../shared/source-run.ts";
import { type Assignment, assignedByScope, shuffledAssignment } from "./assign.ts";
import { batchesOf } from "./batches.ts";
import { controlOfArm } from "./controls.ts";
import type { PlannedArm } from "./plan.ts";
import { EvaluationReason } from "./reasons.ts";
import type { Arm, World } from "./world.ts";

/** Limits of the evaluator's input: adapters per arm, sessions per context. */
const mostAdapters = 512;
const mostArtifacts = 500;
const retrySeconds = 10;
/** Slots of a server that arms measured together leave free for sessions. */
const slotsForOthers = 1;

type Looks = readonly (readonly HeldOutTask[])[];

/** The plan of an arm, or why it can't be made yet. `looks`: the tasks that each look adds. */
export function armPlan(arm: Arm, world: World, looks: Looks): PlannedArm | Blocker {
  const context = contextOf(arm, world);
  if (context && "reason" in context) return context;
  const chosen = arm.adapters ? adaptersForTasks(arm, world, looks) : adapterOfArm(arm, world, looks);
  if ("reason" in chosen) return chosen;
  const larger = tooLarge(arm, chosen.adapters, world);
  if (larger) return larger;
  const control = controlOfArm(arm, world.evaluation, world.adapters, world.runs);
  const { adapters, ...rest } = chosen;
  return {
    name: arm.name,
    ...(control && { control }),
    ...(adapters.some((adapter) => isGenerated(adapter, world.runs)) && { generated: true }),
    server: { name: arm.serverRef.name, shared: Math.max(1, freeSlots(arm, world) - slotsForOthers) },
    adapters: adapters.map(({ metadata: { name }, spec: { artifact, generation } }) => {
      const { repository, digest } = artifact;
      return { name, repository, digest, generation };
    }),
    ...rest,
    ...(context && { context }),
  };
}

type Chosen = { adapters: Adapter[] } & Pick<PlannedArm, "assigned" | "batches">;

/** An arm with at most one adapter. */
function adapterOfArm(arm: Arm, { adapters, servers }: World, looks: Looks): Chosen | Blocker {
  const adapter = arm.adapter ? adapters.get(arm.adapter) : undefined;
  const base = servers.get(arm.serverRef.name)?.status?.baseDigest;
  if (adapter && base && adapter.spec.base.digest !== base)
    return {
      reason: Reason.BaseMismatch,
      message: `the Adapter ${arm.adapter} of arm ${arm.name} was made for base ${adapter.spec.base.digest}, and ${arm.serverRef.name} runs ${base}; name another adapter or server in a new evaluation`,
    };
  const claimed = adapter ? [adapter.metadata.name] : [];
  return { adapters: adapter ? [adapter] : [], batches: [{ adapters: claimed, looks: looks.map((_, index) => index + 1) }] };
}

/** An arm with one adapter per task. */
function adaptersForTasks(arm: Arm, world: World, looks: Looks): Chosen | Blocker {
  const found = candidatesOf(arm, world);
  if ("reason" in found) return found;
  const { metadata, spec } = world.evaluation;
  const byScope = assignedByScope(looks.flat(), found);
  const labels = wordsOf(arm.adapters?.matchLabels ?? {});
  if (Object.keys(byScope).length === 0)
    return {
      reason: EvaluationReason.NoneAssigned,
      message: `none of the ${found.length} adapters with ${labels} has a scope that takes in a task of the set, so arm ${arm.name} would be the base; give tasks and adapters a common scope.project`,
    };
  const assigned = arm.adapters?.assign === "Shuffled" ? shuffledAssignment(byScope, spec.seed) : byScope;
  if (!assigned)
    return {
      reason: EvaluationReason.NoneAssigned,
      message: `arm ${arm.name} of ${metadata.name} gives each task another task's adapter, and all tasks have the same; it takes adapters of two scopes at least`,
    };
  return chosenFor(arm, world, found, looks, assigned);
}

function chosenFor(arm: Arm, world: World, found: readonly Adapter[], looks: Looks, assigned: Assignment): Chosen | Blocker {
  const names = new Set(Object.values(assigned));
  if (names.size > mostAdapters)
    return {
      reason: EvaluationReason.PlanTooLarge,
      message: `arm ${arm.name} has ${names.size} adapters, and one arm takes at most ${mostAdapters}; select fewer, or set spec.taskSet.maxTasks, in a new evaluation`,
    };
  const adapters = found.filter(({ metadata }) => names.has(metadata.name));
  return { adapters, assigned, batches: batchesOf(looks, assigned, freeSlots(arm, world, names)) };
}

/** Slots of an arm's server that residents leave free; an adapter that is a resident itself needs no other slot. */
function freeSlots({ serverRef: { name } }: Arm, { servers, residents }: World, names: ReadonlySet<string> = new Set()): number {
  const others = (residents.get(name) ?? []).filter((resident) => !names.has(resident));
  return Math.max(1, (servers.get(name)?.spec.adapters.slots ?? 1) - others.length);
}

/**
 * The adapters that an arm may assign. Waits for those still being verified, so the choice doesn't depend on timing.
 */
function candidatesOf(arm: Arm, { selected, servers }: World): Adapter[] | Blocker {
  const found = selected.get(arm.name) ?? [];
  const base = servers.get(arm.serverRef.name)?.status?.baseDigest ?? "";
  const labels = wordsOf(arm.adapters?.matchLabels ?? {});
  const pending = found.find(
    (adapter) => adapter.spec.base.digest === base && !isTrue(adapter, ConditionType.Ready) && !isTrue(adapter, ConditionType.Stalled),
  );
  if (pending)
    return {
      reason: Reason.AdapterMissing,
      message: `waits for the Adapter ${pending.metadata.name} of arm ${arm.name} to be Ready`,
      retrySeconds,
    };
  const fitting = found.filter((adapter) => isEligible(adapter, base));
  if (fitting.length > 0) return fitting;
  const why =
    found.length === 0
      ? `no Adapter has ${labels}`
      : `none of the ${found.length} adapters with ${labels} is Ready, not archived, and made for the base of ${arm.serverRef.name} (${base})`;
  return {
    reason: Reason.AdapterMissing,
    message: `arm ${arm.name} has nothing to assign: ${why}; create them, or correct spec.arms in a new evaluation`,
    retrySeconds,
  };
}

/** Reports before the start what the server would refuse in the middle of the work. */
function tooLarge({ name, serverRef }: Arm, adapters: readonly Adapter[], { servers }: World): Blocker | null {
  const maxRank = servers.get(serverRef.name)?.spec.adapters.maxRank ?? Number.POSITIVE_INFINITY;
  const larger = adapters.find(({ spec }) => spec.rank > maxRank);
  return larger
    ? {
        reason: Reason.RankTooLarge,
        message: `the Adapter ${larger.metadata.name} of arm ${name} has rank ${larger.spec.rank}, and ${serverRef.name} takes ${maxRank}; raise spec.adapters.maxRank of the ModelServer`,
        retrySeconds,
      }
    : null;
}

/** The trajectories of an arm's context, frozen; waits for sessions that still run. */
function contextOf(arm: Arm, { told }: World): NonNullable<PlannedArm["context"]> | Blocker | undefined {
  if (!arm.context) return undefined;
  if (arm.context.artifact) return { artifacts: [arm.context.artifact] };
  const sessions = told.get(arm.name) ?? [];
  const labels = wordsOf(arm.context.sessions?.matchLabels ?? {});
  const running = sessions.filter((session) => !isTerminal(session));
  if (running.length > 0)
    return {
      reason: Reason.SessionsRunning,
      message: `waits for ${running.length} of the ${sessions.length} sessions with ${labels} of arm ${arm.name}, which still run`,
      retrySeconds,
    };
  const artifacts = sessions.flatMap(({ status }) => (status?.trajectory ? [status.trajectory] : []));
  if (artifacts.length === 0)
    return {
      reason: Reason.SessionMissing,
      message: `arm ${arm.name} has nothing to tell of: no ended AgentSession with ${labels} has a trajectory; create them, or correct spec.arms in a new evaluation`,
      retrySeconds,
    };
  if (artifacts.length > mostArtifacts)
    return {
      reason: EvaluationReason.PlanTooLarge,
      message: `${artifacts.length} sessions match the context of arm ${arm.name}, and it takes at most ${mostArtifacts}; select fewer, or store them as one corpus and name it in context.artifact`,
    };
  return {
    artifacts: artifacts.toSorted((a, b) => (a.digest < b.digest ? -1 : 1)).map(({ repository, digest }) => ({ repository, digest })),
  };
}

const wordsOf = (labels: Readonly<Record<string, string>>) =>
  Object.keys(labels).length === 0
    ? "any labels"
    : Object.entries(labels)
        .map(([key, value]) => `${key}=${value}`)
        .join(", ");
