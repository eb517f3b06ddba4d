import { chosenTasks } from "@rune/clients/tasks/task-set";
import type { HeldOutTask } from "@rune/crds/contracts/task-set";
import type { EvolutionGeneration } from "@rune/crds/kinds/evolution-generation";
import { ConditionType } from "@rune/crds/words/conditions";
import { isTrue, type Outcome, progressing, timestamp, unchanged } from "kopf-ts";
import { type Blocker, blocked, type Check, firstOf, repairSeconds } from "../shared/check.ts";
import { requirementsMet } from "../shared/requires.ts";
import { measuredOn, type StoreTasks, type TasksState } from "../shared/task-set.ts";
import { foreignRepository } from "../shared/tenancy.ts";
import { eligible, freezePopulation } from "./population.ts";
import { GenerationReason } from "./reasons.ts";
import type { World } from "./world.ts";

const retrySeconds = 30;
/** An Adapter that doesn't show its promotion after this time may never do so. */
const longestChampionSeconds = 600;
/** Fewer can't be combined. */
export const fewestParents = 2;

const ownTasks: Check<World> = ({ generation: { metadata, spec } }) =>
  foreignRepository(spec.fitness.taskSet.repository, metadata.namespace) ??
  foreignRepository(spec.promotion.taskSet.repository, metadata.namespace);

const serverReady: Check<World> = ({ generation: { spec }, server }) => {
  const { name } = spec.serverRef;
  if (!server)
    return {
      reason: GenerationReason.ServerMissing,
      message: `the ModelServer ${name} of spec.serverRef doesn't exist; create it, or name another one in a new generation`,
      retrySeconds,
    };
  if (isTrue(server, ConditionType.Ready) && server.status?.baseDigest) return null;
  return { reason: GenerationReason.ServerNotReady, message: `waits for the ModelServer ${name} to be Ready`, retrySeconds };
};

/** Both sets with the tasks chosen from them, once both are read. */
function tasksOf({ generation: { spec }, tasks }: World) {
  if (!tasks) return undefined;
  const chosen = (state: TasksState, asked: EvolutionGeneration["spec"]["fitness"]) => {
    if ("blocker" in state) return undefined;
    const those = chosenTasks(state.set, { ...asked.taskSet, seed: spec.seed });
    return { those, measured: measuredOn({ taskSet: asked.taskSet, seed: spec.seed }, state, those) };
  };
  const [fitness, promotion] = [chosen(tasks.fitness, spec.fitness), chosen(tasks.promotion, spec.promotion)];
  return fitness && promotion && { fitness, promotion };
}

const tasksRead: Check<World> = ({ tasks }) => {
  for (const state of tasks ? [tasks.fitness, tasks.promotion] : []) if ("blocker" in state) return state.blocker;
  return null;
};

/** The world, and the tasks chosen from both sets, which is expensive to compute. */
interface Beginning extends World {
  readonly found: ReturnType<typeof tasksOf>;
}

const partsHold: Check<Beginning> = ({ generation, found }) => {
  const empty = (["fitness", "promotion"] as const).find((name) => found?.[name].those.length === 0);
  if (!empty) return null;
  const { part } = generation.spec[empty].taskSet;
  return {
    reason: GenerationReason.PartEmpty,
    message: `no task of spec.${empty}.taskSet is in part ${part}; add tasks to the set, or name another part in a new generation`,
  };
};

const tasksApart: Check<Beginning> = ({ found }) => {
  if (!found) return null;
  const known = new Set(found.fitness.those.map(identityOf));
  const both = found.promotion.those.filter((task) => known.has(identityOf(task)));
  if (both.length === 0) return null;
  return {
    reason: GenerationReason.TasksOverlap,
    message: `${both.length} tasks of spec.promotion.taskSet are in spec.fitness.taskSet too, such as ${both[0]?.id}: who is selected by a task can't be tested by it; take the parts Test and Validation in a new generation`,
  };
};

const identityOf = ({ description, tests }: HeldOutTask) => JSON.stringify([description, tests]);

const populated: Check<World> = ({ generation, population, server }) => {
  const labels = Object.entries(generation.spec.population.matchLabels)
    .map(([key, value]) => `${key}=${value}`)
    .join(", ");
  const base = server?.status?.baseDigest;
  const pending = population.find(
    (adapter) => adapter.spec.base.digest === base && !isTrue(adapter, ConditionType.Ready) && !isTrue(adapter, ConditionType.Stalled),
  );
  if (pending)
    return {
      reason: GenerationReason.PopulationTooSmall,
      message: `waits for the Adapter ${pending.metadata.name} to be verified`,
      retrySeconds,
    };
  const count = server ? eligible(generation, population, server).length : 0;
  if (count >= fewestParents) return null;
  return {
    reason: GenerationReason.PopulationTooSmall,
    message: `${count} of ${population.length} Adapters with ${labels} can be members, and it takes ${fewestParents}: they are Ready, not archived, no controls, of the base of ${generation.spec.serverRef.name} and of no larger rank than it takes; train more, or select others in a new generation`,
    retrySeconds,
  };
};

const checks: Check<Beginning>[] = [ownTasks, requirementsMet, serverReady, tasksRead, partsHold, tasksApart, populated];

/** Task sets that the registry doesn't have yet, each once. */
function unstored({ tasks }: World) {
  const open = (tasks ? [tasks.fitness, tasks.promotion] : []).flatMap((state) => ("set" in state && !state.stored ? [state] : []));
  return [...new Map(open.map((state) => [`${state.reference.repository}@${state.reference.digest}`, state]))];
}

/** Waits until the previous generation's champion shows its promotion: until then the best choice is unknown. */
function championPending({ generation: { metadata, spec }, adapters }: World, now: Date): Blocker | null {
  const { promoted, name } = spec.former ?? {};
  const champion = promoted ? adapters.get(promoted) : undefined;
  if (!champion || champion.status?.champion || champion.status?.archived || champion.metadata.deletionTimestamp) return null;
  const left = longestChampionSeconds - (now.getTime() - Date.parse(metadata.creationTimestamp)) / 1000;
  if (left <= 0) return null;
  return {
    reason: GenerationReason.ChampionPending,
    message: `waits until the Adapter ${promoted} shows that it is a champion, which ${name} made it; at most ${longestChampionSeconds / 60} minutes`,
    retrySeconds: Math.min(left, retrySeconds),
  };
}

/** Freezes the population, and both task sets in the registry; later changes don't affect the generation. */
export function begin(world: World, store: StoreTasks, now: Date): Outcome {
  const { generation, population, server } = world;
  const found = tasksOf(world);
  const blocker = firstOf(checks, { ...world, found }) ?? championPending(world, now);
  if (blocker) return blocked(blocker).again(repairSeconds);
  if (!server || !found) return unchanged();
  const open = unstored(world);
  if (open.length > 0) {
    const outcome = progressing(GenerationReason.StoringTasks, `the tasks are being stored as ${open.map(([name]) => name).join(" and ")}`);
    return open.reduce((all, [name, { set, reference }]) => all.effect(name, () => store(set, reference.repository)), outcome).atOnce();
  }
  const members = eligible(generation, population, server);
  const frozen = freezePopulation(generation, members, found.fitness.measured);
  const known = frozen.members?.filter(({ passAt1 }) => passAt1).length;
  return progressing(
    GenerationReason.PopulationFrozen,
    `${frozen.memberCount} members, ${known} of which were measured on these tasks before`,
    {
      startTime: timestamp(now),
      taskSet: found.fitness.measured,
      promotionTaskSet: found.promotion.measured,
      ...frozen,
      spent: generation.spec.former?.spent ?? { evaluations: 0, gpuSeconds: 0 },
      archived: 0,
      ...(generation.spec.hypernetwork && { hypernetwork: { pairs: generation.spec.former?.pairs ?? world.pairs?.length ?? 0 } }),
    },
  ).atOnce();
}
