import type { EvolutionGeneration } from "@rune/crds/kinds/evolution-generation";
import type { Decision, Member } from "./world.ts";

/** The steps of a generation, in order. Each writes its decision into status, and is over once it is there. */
export type Step =
  | "Begin"
  | "MeasureMembers"
  | "Select"
  | "Breed"
  | "MeasureChildren"
  | "DropDuplicates"
  | "Promote"
  | "Prune"
  | "Record"
  | "End";

/** Whether a member can still be a parent. */
export const isIn = ({ leftOut }: Pick<Member, "leftOut">) => leftOut === undefined;

/** Whether a decision is still to be stored in the registry. */
export const isOpen = ({ recorded, refused }: Pick<Decision, "recorded" | "refused">) => !recorded && refused === undefined;

/** The current step: the first whose decision is missing. */
export function stepOf({ status }: EvolutionGeneration): Step {
  const { members = [], children = [], evaluations = [], decisions = [] } = status ?? {};
  const hasChild = (...states: (typeof children)[number]["state"][]) => children.some(({ state }) => states.includes(state));
  if (!status?.startTime) return "Begin";
  const open = evaluations.some(({ purpose, state }) => purpose === "Members" && (state === "Planned" || state === "Running"));
  if (open || (!status.selection && members.some((member) => isIn(member) && !member.passAt1))) return "MeasureMembers";
  if (!status.base && !evaluations.some(({ purpose }) => purpose === "Members")) return "MeasureMembers";
  if (!status.selection) return "Select";
  if (hasChild("Planned", "Training")) return "Breed";
  if (hasChild("Born")) return "MeasureChildren";
  if (hasChild("Measured")) return "DropDuplicates";
  if (!status.promotion?.outcome) return "Promote";
  if (!status.pruned) return "Prune";
  if (decisions.some(isOpen)) return "Record";
  return "End";
}
