import { z } from "zod";
import { digest, repository, text, whole } from "./field.ts";
import { scope } from "./scope.ts";
import { parts } from "./task-set.ts";

export const interval = z.object({
  estimate: text(20).describe("Point estimate, a decimal."),
  lower: text(20).describe("Lower end of the 95 % interval, a decimal."),
  upper: text(20).describe("Upper end of the 95 % interval, a decimal."),
});
export type Interval = z.infer<typeof interval>;

/** Tasks that were measured. Two measurements are comparable only if `digest`, `part`, `tasks` and `seed` are equal. */
export const measuredTasks = z.object({
  digest: digest().describe("Digest of the task set."),
  repository: repository().optional().describe("Repository that holds it."),
  part: z.enum(parts).optional().describe("Part of the set, where it isn't the whole."),
  tasks: whole(1, 100000).describe("How many of its tasks."),
  clusters: whole(1, 100000).optional().describe("How many of them are independent: tasks that share a cluster count as one."),
  seed: whole(0, 2147483647).optional().describe("Seed that chose them, where they are not the whole set."),
  scope: scope.optional().describe("What scope all of the set's tasks share; unset where they share none."),
});
export type MeasuredTasks = z.infer<typeof measuredTasks>;

/** Costs of an evaluation's arm. */
export const costs = z
  .object({
    promptTokens: whole(0, Number.MAX_SAFE_INTEGER).describe("Tokens of all prompts."),
    completionTokens: whole(0, Number.MAX_SAFE_INTEGER).describe("Tokens of all answers."),
    engineSeconds: whole(0, Number.MAX_SAFE_INTEGER).describe("Seconds that requests took, added up."),
    programs: whole(0, Number.MAX_SAFE_INTEGER).describe("Programs that were executed."),
  })
  .describe("What the arm cost.");

export type Costs = z.infer<typeof costs>;

/**
 * Pass@1 or a difference of two, with its interval, as numbers for documents. Status has decimal strings, `interval`.
 */
export const rate = z.object({ estimate: z.number(), lower: z.number(), upper: z.number() });
