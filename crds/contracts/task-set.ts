import { z } from "zod";
import { text } from "../fields/field.ts";
import { scope } from "../fields/scope.ts";
import { task } from "../kinds/agent-session.ts";

/**
 * A task of a task set. Tasks that aren't independent evidence, such as those of one function or project, share a
 * `cluster`. `scope`: whose knowledge the task requires; measurements on tasks of another scope mean nothing to a
 * session.
 */
export const heldOutTask = task.extend({ cluster: text(100).min(1).optional(), scope: scope.optional() });
export type HeldOutTask = z.infer<typeof heldOutTask>;

/** The cluster of a task. A task without one forms a cluster with its copies under other ids. */
export function clusterOf({ cluster, description, tests }: HeldOutTask): string {
  return cluster === undefined ? `task ${JSON.stringify([description, tests])}` : `cluster ${cluster}`;
}

/** The single layer of a task set artifact. */
export const taskSet = z.object({
  schema: z.literal("rune.dev/taskset/v1"),
  name: text(200),
  tasks: z
    .array(heldOutTask)
    .min(1)
    .max(100000)
    .superRefine((tasks, context) => {
      const seen = new Set<string>();
      for (const [index, { id }] of tasks.entries()) {
        if (seen.has(id)) context.addIssue({ code: "custom", path: [index, "id"], message: `two tasks are called ${id}` });
        seen.add(id);
      }
    }),
});
export type TaskSet = z.infer<typeof taskSet>;
