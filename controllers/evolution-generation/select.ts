import { seeded } from "@rune/clients/statistics/random";
import { failed, type Outcome, progressing, waiting } from "kopf-ts";
import { Reason } from "../shared/reasons.ts";
import { fewestParents } from "./begin.ts";
import { plannedChildren } from "./children.ts";
import { GenerationReason } from "./reasons.ts";
import { candidatesOf, selectParents, tasksWon } from "./tournament.ts";
import { isUnavailable, resultsIn, type World } from "./world.ts";

const retrySeconds = 30;

/** Draws the parents and plans the children: from here on the set of children is fixed. */
export function select(world: World): Outcome {
  const { generation, results } = world;
  if (isUnavailable(results))
    return waiting(Reason.RegistryUnavailable, `the reports of the evaluations can't be read: ${results.unavailable}`, retrySeconds);
  const { spec, status = {} } = generation;
  const candidates = candidatesOf(status.members ?? []);
  if (candidates.length < fewestParents && !status.exhausted)
    return failed(
      GenerationReason.MembersUnmeasured,
      `${candidates.length} of ${status.members?.length} members could be measured, and it takes ${fewestParents} to cross; status.members says what kept the others`,
    );
  const won = tasksWon(candidates, resultsIn(world));
  const enough = candidates.length >= fewestParents;
  const selection = enough
    ? selectParents(candidates, won, spec.selection, seeded(spec.seed, `parents of generation ${spec.generation}`))
    : { draws: [], parents: [] };
  const members = status.members?.map((member) => ({
    ...member,
    tasksWon: won.get(member.name) ?? 0,
    ...(selection.parents.includes(member.name) && { parent: true as const }),
  }));
  const children = enough ? plannedChildren(generation, selection.parents) : [];
  const words = `${selection.parents.length} of ${candidates.length} members are parents of ${children.length} children: ${selection.parents.join(", ")}`;
  return progressing(GenerationReason.ParentsSelected, words, { selection, members, children })
    .event("Normal", GenerationReason.ParentsSelected, words)
    .atOnce();
}
