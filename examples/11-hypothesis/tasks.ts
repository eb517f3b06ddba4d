import { chosenTasks } from "@rune/clients/tasks/task-set";
import { similarity } from "@rune/clients/tasks/text-similarity";
import type { HeldOutTask, TaskSet } from "@rune/crds/contracts/task-set";
import type { Scope } from "@rune/crds/fields/scope";
import type { Task } from "@rune/crds/kinds/agent-session";
import { isTrue, type Seen } from "../shared/objects.ts";
import type { Options } from "./options.ts";

/** A task for sessions, and the scope of its knowledge. */
export interface TrainingTask {
  readonly name: string;
  readonly task: Task;
  readonly scope: Scope;
}

export const project = "humaneval";
/** Orders the tasks, in the example as in its evaluation. */
export const seed = 0;

/** `HumanEval/23` in the form of names of objects and scopes. */
const nameOf = ({ id }: Pick<Task, "id">) => id.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
const scopeOf = (task: Pick<Task, "id">): Scope => ({ project, task: nameOf(task) });

/**
 * Tasks of the Train part: each session's knowledge is of its own task, so that the source of a hypernetwork's
 * knowledge can be tested.
 */
export function trainingTasks(set: TaskSet, { sessions }: Pick<Options, "sessions">): TrainingTask[] {
  return chosenTasks(set, { part: "Train", maxTasks: sessions, seed }).map((held) => {
    const { cluster: _, scope: __, ...task } = held;
    return { name: `learn-${nameOf(held)}`, task, scope: scopeOf(held) };
  });
}

/** Sessions that work once more on the tasks that none has solved. */
export function secondTries(training: readonly TrainingTask[], solved: readonly TrainingTask[]): TrainingTask[] {
  return training.filter((each) => !solved.includes(each)).map((each) => ({ ...each, name: `${each.name}-again` }));
}

/** The held-out tasks of the Test part, as an Evaluation with the same seed selects them. */
export function heldOutTasks(set: TaskSet, { heldOutTasks: maxTasks }: Pick<Options, "heldOutTasks">): HeldOutTask[] {
  return chosenTasks(set, { part: "Test", maxTasks, seed });
}

/**
 * Each held-out task needs the knowledge of the most similar task that a session has solved, by the words of their
 * descriptions: that task's scope becomes its own. Its nearest session's adapter, and that session as text, then answer
 * it.
 */
export function withNearestScope(heldOut: readonly HeldOutTask[], solved: readonly TrainingTask[]): HeldOutTask[] {
  const similar = similarity(solved.map(({ task }) => task.description));
  return heldOut.map((held) => {
    const near = similar(held.description);
    const nearest = solved[near.indexOf(Math.max(...near))];
    return { ...held, scope: nearest?.scope ?? { project } };
  });
}

/** The tasks that their sessions have solved. */
export function solvedOf(training: readonly TrainingTask[], sessions: readonly Seen<unknown>[]): TrainingTask[] {
  const solved = new Set(sessions.filter((session) => isTrue(session, "Solved")).map(({ metadata }) => metadata.name));
  return training.filter(({ name }) => solved.has(name));
}

/** The solved sessions that are trained on: first those that the held-out tasks need. */
export function trainedOn(
  solved: readonly TrainingTask[],
  nearest: readonly TrainingTask[],
  { mostPairs }: Pick<Options, "mostPairs">,
): TrainingTask[] {
  return [...nearest, ...solved.filter((one) => !nearest.includes(one))].slice(0, mostPairs);
}

/** The sessions that the held-out tasks need, each once, the most needed first. */
export function askedFor(heldOut: readonly HeldOutTask[], solved: readonly TrainingTask[]): TrainingTask[] {
  const times = (one: TrainingTask) => heldOut.filter(({ scope }) => scope?.task === one.scope.task).length;
  return solved.filter((one) => times(one) > 0).toSorted((a, b) => times(b) - times(a));
}
