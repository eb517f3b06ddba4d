import { tasksUpToLook } from "@rune/clients/tasks/task-set";
import type { HeldOutTask } from "@rune/crds/contracts/task-set";
import { type Evaluation, mostArmsTogether } from "@rune/crds/kinds/evaluation";
import type { Assignment } from "./assign.ts";
import type { Plan, PlannedArm } from "./plan.ts";

/** Adapters that are claimed together, and the looks that have tasks for them. */
export interface Batch {
  adapters: string[];
  looks: number[];
}

/**
 * The work of one evaluator, within one look: arms of one server, each complete or limited to a batch of its adapters.
 */
export interface Unit {
  readonly look: number;
  readonly arms: readonly string[];
  readonly adapters: readonly string[];
}

/** The tasks that each look adds, in the order of the tasks. */
export function tasksOfLooks(tasks: readonly HeldOutTask[], looks: number): HeldOutTask[][] {
  const upTo = Array.from({ length: looks }, (_, index) => tasksUpToLook(tasks, { number: index + 1, of: looks }));
  return upTo.map((reached, index) => {
    const before = new Set(upTo[index - 1]);
    return reached.filter((task) => !before.has(task));
  });
}

/** Batches of at most `size` adapters for an arm with one adapter per task, in the order in which tasks need them. */
export function batchesOf(looks: readonly (readonly HeldOutTask[])[], assigned: Assignment, size: number): Batch[] {
  const names = [...new Set(looks.flat().flatMap(({ id }) => assigned[id] ?? []))];
  const groups = Array.from({ length: Math.ceil(names.length / size) }, (_, index) => names.slice(index * size, (index + 1) * size));
  return groups.map((adapters, index) => ({
    adapters,
    looks: looks.flatMap((tasks, look) => {
      const mine = tasks.some(({ id }) => adapters.includes(assigned[id] ?? ""));
      // The base answers its tasks along with the first batch.
      const bases = index === 0 && tasks.some(({ id }) => assigned[id] === undefined);
      return mine || bases ? [look + 1] : [];
    }),
  }));
}

/**
 * All units in order: by look, then arm, then batch. The last arm closes every look, even if it adds nothing. Adjacent
 * units that fit into their server's slots together share an evaluator and a sandbox, which take half a minute to
 * start.
 */
export function unitsOf(plan: Plan): Unit[] {
  return plan.looks.flatMap((_, index) => joined(piecesOf(plan, index + 1)));
}

/** A batch of an arm, within one look. */
type Piece = Unit & { readonly server: PlannedArm["server"] };

function piecesOf(plan: Plan, look: number): Piece[] {
  return plan.arms.flatMap(({ name, server, batches }, position) => {
    const due = batches.filter(({ looks }) => looks.includes(look));
    const closing = position === plan.arms.length - 1 && due.length === 0 ? batches.slice(0, 1) : due;
    return closing.map(({ adapters }) => ({ look, arms: [name], adapters, server }));
  });
}

function joined(pieces: readonly Piece[]): Unit[] {
  const units: Piece[] = [];
  for (const piece of pieces) {
    const last = units.at(-1);
    const together = last && fitting(last, piece);
    if (together) units.splice(-1, 1, together);
    else units.push(piece);
  }
  return units.map(({ look, arms, adapters }) => ({ look, arms, adapters }));
}

/** Both combined; null if they would claim more than arms may claim together. Adapters claimed by both count once. */
function fitting(unit: Piece, piece: Piece): Piece | null {
  if (unit.server.name !== piece.server.name) return null;
  const adapters = [...new Set([...unit.adapters, ...piece.adapters])];
  const arms = [...new Set([...unit.arms, ...piece.arms])];
  const most = Math.max(unit.server.shared, unit.adapters.length, piece.adapters.length);
  return adapters.length > most || arms.length > mostArmsTogether ? null : { ...unit, arms, adapters };
}

/** Index of the current unit; -1 before the first. */
export function unitNow({ status }: Evaluation, units: readonly Unit[]): number {
  const { activeArms = [], activeAdapters = [], look = 1 } = status ?? {};
  const isNow = (unit: Unit) => unit.arms.join() === activeArms.join() && unit.adapters.join() === activeAdapters.join();
  return units.findIndex((unit) => unit.look === look && isNow(unit));
}

/** The status fields that mark a unit as current. */
export const statusOfUnit = ({ look, arms, adapters }: Unit, looks: number) => ({
  activeArms: arms,
  activeAdapters: adapters.length > 0 ? adapters : undefined,
  ...(looks > 1 && { look }),
});

/** Text for a unit: its arms, the batch where an arm has several, and the look. */
export function nameOfUnit({ look, arms, adapters }: Unit, plan: Plan): string {
  const named = arms.map((arm) => {
    const batches = plan.arms.find(({ name }) => name === arm)?.batches ?? [];
    const batch = batches.findIndex((each) => each.adapters.every((name) => adapters.includes(name))) + 1;
    return batches.length > 1 ? `${arm} (batch ${batch} of ${batches.length})` : arm;
  });
  const words = `${arms.length > 1 ? "arms" : "arm"} ${named.join(", ")}`;
  return plan.looks.length > 1 ? `${words} at look ${look} of ${plan.looks.length}` : words;
}
