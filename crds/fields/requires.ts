import { z } from "zod";
import { objectName, text } from "./field.ts";

export const requires = z
  .array(
    z.object({
      kind: z
        .enum(["EnvironmentCheck", "ModelServer", "Adapter", "TrainingRun", "AgentSession", "Evaluation", "EvolutionGeneration"])
        .describe("Kind of the required object."),
      name: objectName().describe("Name of the required object, in the same namespace."),
      condition: text(63).min(1).describe("Condition that must be True before work starts, such as `Ready` or `GatePassed`."),
    }),
  )
  .max(16)
  .optional()
  .describe("Conditions of other objects that must be True before work starts.");
