import { tasksUpToLook } from "@rune/clients/tasks/task-set";
import type { HeldOutTask } from "@rune/crds/contracts/task-set";
import { type Evaluation, mostArmsTogether } from "@rune/crds/kinds/evaluation";
import type { Assignment } from "./assign.ts";
import type { Plan, PlannedArm } from "./plan.ts";

/** Adapters that are claimed together, and the looks at which tasks for them come up. */
export interface Batch {
  adapters: string[];
  looks: number[];
}

/** What one evaluator works on, up to one look: arms of one server, each whole or as far as a batch of its adapters answers it. */
export interface Unit {
  readonly look: number;
  readonly arms: readonly string[];
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

/**
 * Everything that is measured, in order: look by look, arm by arm, batch by batch. The last arm closes every look, whatever it has to add.
 * Neighbours that fit their server's slots together share an evaluator and its sandbox, which take half a minute to start.
 */
export function unitsOf(plan: Plan): Unit[] {
  return plan.looks.flatMap((_, index) => joined(piecesOf(plan, index + 1)));
}

/** A batch of an arm, at one look. */
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

/** Both in one; null where they would claim more than arms may claim together. Whoever claims what the other has claimed adds nothing. */
function fitting(unit: Piece, piece: Piece): Piece | null {
  if (unit.server.name !== piece.server.name) return null;
  const adapters = [...new Set([...unit.adapters, ...piece.adapters])];
  const arms = [...new Set([...unit.arms, ...piece.arms])];
  const most = Math.max(unit.server.shared, unit.adapters.length, piece.adapters.length);
  return adapters.length > most || arms.length > mostArmsTogether ? null : { ...unit, arms, adapters };
}

/** What is measured now; -1 before the first. */
export function unitNow({ status }: Evaluation, units: readonly Unit[]): number {
  const { activeArms = [], activeAdapters = [], look = 1 } = status ?? {};
  const isNow = (unit: Unit) => unit.arms.join() === activeArms.join() && unit.adapters.join() === activeAdapters.join();
  return units.findIndex((unit) => unit.look === look && isNow(unit));
}

/** How status says that a unit is measured now. */
export const statusOfUnit = ({ look, arms, adapters }: Unit, looks: number) => ({
  activeArms: arms,
  activeAdapters: adapters.length > 0 ? adapters : undefined,
  ...(looks > 1 && { look }),
});

/** A unit in words: its arms, and where one has several batches, which; and at which look. */
export function nameOfUnit({ look, arms, adapters }: Unit, plan: Plan): string {
  const named = arms.map((arm) => {
    const batches = plan.arms.find(({ name }) => name === arm)?.batches ?? [];
    const batch = batches.findIndex((each) => each.adapters.every((name) => adapters.includes(name))) + 1;
    return batches.length > 1 ? `${arm} (batch ${batch} of ${batches.length})` : arm;
  });
  const words = `${arms.length > 1 ? "arms" : "arm"} ${named.join(", ")}`;
  return plan.looks.length > 1 ? `${words} at look ${look} of ${plan.looks.length}` : words;
}
