import { z } from "zod";
import { digest, repository, text, whole } from "./field.ts";
import { scope } from "./scope.ts";
import { parts } from "./task-set.ts";

export const interval = z.object({
  estimate: text(20).describe("Point estimate, as a decimal string."),
  lower: text(20).describe("Lower bound of the 95 % confidence interval, as a decimal string."),
  upper: text(20).describe("Upper bound of the 95 % confidence interval, as a decimal string."),
});
export type Interval = z.infer<typeof interval>;

/** Tasks that were measured. Two measurements are comparable only if `digest`, `part`, `tasks` and `seed` are equal. */
export const measuredTasks = z.object({
  digest: digest().describe("Manifest digest of the task set."),
  repository: repository().optional().describe("Repository of the task set, in the installation's registry."),
  part: z.enum(parts).optional().describe("Part of the task set that was used; unset for the whole set."),
  tasks: whole(1, 100000).describe("Number of tasks that were used."),
  clusters: whole(1, 100000).optional().describe("Number of independent tasks: tasks that share a cluster count as one."),
  seed: whole(0, 2147483647).optional().describe("Seed by which the tasks were sampled; unset if all tasks of the part were used."),
  scope: scope.optional().describe("Scope that all tasks of the set have in common; unset if they share no project."),
});
export type MeasuredTasks = z.infer<typeof measuredTasks>;

/** Costs of an evaluation's arm, each within what 100,000 tasks with 100 programs can cost: six of them fit a termination message. */
export const costs = z
  .object({
    promptTokens: whole(0, 1e12).describe("Total number of prompt tokens."),
    completionTokens: whole(0, 1e12).describe("Total number of generated tokens."),
    engineSeconds: whole(0, 1e9).describe("Total duration of the requests to the model server, in seconds."),
    programs: whole(0, 1e7).describe("Number of programs that were executed."),
    cutOff: whole(0, 1e7)
      .optional()
      .describe("Number of incomplete answers: they reached `sampling.maxTokens`, or were too long for the log."),
  })
  .describe("Tokens, time and executions that the arm has used.");

export type Costs = z.infer<typeof costs>;

/**
 * Pass@1 or a difference of two, with its interval, as numbers for documents. Status has decimal strings, `interval`.
 */
export const rate = z.object({ estimate: z.number(), lower: z.number(), upper: z.number() });
