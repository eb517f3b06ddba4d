import { z } from "zod";
import { byKey, text, time, whole } from "./field.ts";

export const condition = z.object({
  type: text(63).describe("Type of the condition, such as `Ready`."),
  status: z.enum(["True", "False", "Unknown"]).describe("Status of the condition: True, False, or Unknown."),
  observedGeneration: whole(0, Number.MAX_SAFE_INTEGER).optional().describe("`metadata.generation` that the condition was set for."),
  lastTransitionTime: time().describe("Time of the last change of the condition's status."),
  reason: text(128).describe("Reason for the condition's status, as a CamelCase word for programs."),
  message: text(32768).describe("Human-readable details of the condition's status."),
});
export type Condition = z.infer<typeof condition>;

/** Status fields of every kind. */
export const statusBase = {
  observedGeneration: whole(-1, Number.MAX_SAFE_INTEGER)
    .optional()
    .describe("`metadata.generation` that this status describes; -1 before the first reconciliation."),
  conditions: z.array(condition).max(32).meta(byKey("type")).optional().describe("Current conditions of the object, one per type."),
};
