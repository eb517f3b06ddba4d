import { z } from "zod";
import { byKey, text, time, whole } from "./field.ts";

export const condition = z.object({
  type: text(63).describe("Name of the condition."),
  status: z.enum(["True", "False", "Unknown"]).describe("Whether it holds."),
  observedGeneration: whole(0, Number.MAX_SAFE_INTEGER).optional().describe("Generation of the spec that this was seen for."),
  lastTransitionTime: time().describe("When the status last changed."),
  reason: text(128).describe("One word for programs."),
  message: text(32768).describe("A sentence for people."),
});
export type Condition = z.infer<typeof condition>;

/** Status fields of every kind. */
export const statusBase = {
  observedGeneration: whole(-1, Number.MAX_SAFE_INTEGER)
    .optional()
    .describe("Generation of the spec that this status describes; -1 before the first."),
  conditions: z.array(condition).max(32).meta(byKey("type")).optional().describe("What is true of the object now."),
};
