import { PodFailure } from "@rune/clients/pod/pod";
import type { EvaluatorJob } from "@rune/crds/contracts/evaluator";
import { exit } from "@rune/crds/contracts/pod";
import type { Facts } from "./adapter-facts.ts";

/** Tasks of the set that an arm's adapter was trained on, or the sessions of its context. */
export type Seen = { arm: string; adapter: string; tasks: string[] };

const mostAdapters = 3;
/** Stands for an adapter's name where the prompt holds what was learnt. */
const contextName = "its context";
const mostTasks = 4;

/**
 * The set's tasks that the arms' adapters were trained on, or that sessions in their prompts have worked on, and the names of adapters that don't name their training
 * data.
 */
export function seenTasks({ arms }: Pick<EvaluatorJob, "arms">, facts: Facts): { seen: Seen[]; unknown: string[] } {
  const each = arms.flatMap(({ name, adapters }) => adapters.map((adapter) => ({ arm: name, adapter, facts: facts.get(adapter.digest) })));
  const seen = each.flatMap(({ arm, adapter, facts }) =>
    facts?.seen.length ? [{ arm, adapter: adapter.name, tasks: [...facts.seen] }] : [],
  );
  const told = arms.flatMap(({ name, context }) => {
    const tasks = new Set(context?.artifacts.flatMap(({ digest }) => facts.get(digest)?.seen ?? []));
    return tasks.size > 0 ? [{ arm: name, adapter: contextName, tasks: [...tasks] }] : [];
  });
  const unknown = each.flatMap(({ adapter, facts }) => (facts?.known ? [] : [adapter.name]));
  return { seen: [...seen, ...told], unknown: [...new Set(unknown)].sort() };
}

/** Throws PodFailure where an adapter would be measured on its training tasks, unless the spec allows it. */
export function refuseSeen(job: EvaluatorJob, facts: Facts): void {
  const { seen } = seenTasks(job, facts);
  if (seen.length === 0 || job.seenTasks === "Allow") return;
  const told = seen.slice(0, mostAdapters).map(({ arm, adapter, tasks }) => `arm ${arm}: ${adapter} has learnt from ${some(tasks)}`);
  const more = seen.length > mostAdapters ? `; and ${seen.length - mostAdapters} more from others` : "";
  throw new PodFailure(
    exit.badInput,
    "TasksSeen",
    `${told.join("; ")}${more}; measure on tasks that weren't learnt from, such as taskSet.part: Test, or set seenTasks: Allow`,
  );
}

/** Some names, and the number of all. */
function some(tasks: readonly string[]): string {
  const named = tasks.slice(0, mostTasks).join(", ");
  return tasks.length > mostTasks ? `${named} and ${tasks.length - mostTasks} more tasks` : named;
}
