import { tasksUpToLook } from "@rune/clients/task-set";
import type { HeldOutTask } from "@rune/crds/artifact";
import type { Evaluation } from "@rune/crds/evaluation";
import type { Assignment } from "./assign.ts";
import type { Plan } from "./plan.ts";

/** Adapters that are claimed together, and the looks at which tasks for them come up. */
export interface Batch {
  adapters: string[];
  looks: number[];
}

/** What one evaluator works on: an arm, or what of it these adapters answer, up to one look. */
export interface Unit {
  readonly look: number;
  readonly arm: string;
  readonly adapters: readonly string[];
}

/** What each look adds, in the order of the tasks. */
export function tasksOfLooks(tasks: readonly HeldOutTask[], looks: number): HeldOutTask[][] {
  const upTo = Array.from({ length: looks }, (_, index) => tasksUpToLook(tasks, { number: index + 1, of: looks }));
  return upTo.map((reached, index) => {
    const before = new Set(upTo[index - 1]);
    return reached.filter((task) => !before.has(task));
  });
}

/** The batches of an arm with an adapter for each task, none larger than `size`: adapters whose tasks come early are claimed early. */
export function batchesOf(looks: readonly (readonly HeldOutTask[])[], assigned: Assignment, size: number): Batch[] {
  const names = [...new Set(looks.flat().flatMap(({ id }) => assigned[id] ?? []))];
  const groups = Array.from({ length: Math.ceil(names.length / size) }, (_, index) => names.slice(index * size, (index + 1) * size));
  return groups.map((adapters, index) => ({
    adapters,
    looks: looks.flatMap((tasks, look) => {
      const mine = tasks.some(({ id }) => adapters.includes(assigned[id] ?? ""));
      // The base answers its tasks beside whatever batch is first.
      const bases = index === 0 && tasks.some(({ id }) => assigned[id] === undefined);
      return mine || bases ? [look + 1] : [];
    }),
  }));
}

/** Everything that is measured, in order: look by look, arm by arm, batch by batch. The last arm closes every look, whatever it has to add. */
export function unitsOf(plan: Plan): Unit[] {
  return plan.looks.flatMap((_, index) => {
    const look = index + 1;
    return plan.arms.flatMap(({ name: arm, batches }, position) => {
      const due = batches.filter(({ looks }) => looks.includes(look));
      const closing = position === plan.arms.length - 1 && due.length === 0 ? batches.slice(0, 1) : due;
      return closing.map(({ adapters }) => ({ look, arm, adapters }));
    });
  });
}

/** What is measured now; -1 before the first. */
export function unitNow({ status }: Evaluation, units: readonly Unit[]): number {
  const { activeArm, activeAdapters = [], look = 1 } = status ?? {};
  return units.findIndex((unit) => unit.arm === activeArm && unit.look === look && unit.adapters.join() === activeAdapters.join());
}

/** How status says that a unit is measured now. */
export const statusOfUnit = ({ look, arm, adapters }: Unit, looks: number) => ({
  activeArm: arm,
  activeAdapters: adapters.length > 0 ? adapters : undefined,
  ...(looks > 1 && { look }),
});

/** A unit in words: the arm, and where it has several, which batch at which look. */
export function nameOfUnit({ look, arm, adapters }: Unit, plan: Plan): string {
  const batches = plan.arms.find(({ name }) => name === arm)?.batches ?? [];
  const batch = batches.findIndex((each) => each.adapters.join() === adapters.join()) + 1;
  const parts = [
    ...(batches.length > 1 ? [`batch ${batch} of ${batches.length}`] : []),
    ...(plan.looks.length > 1 ? [`look ${look} of ${plan.looks.length}`] : []),
  ];
  return parts.length > 0 ? `arm ${arm} (${parts.join(", ")})` : `arm ${arm}`;
}
