import { z } from "zod";
import { objectName, text } from "./field.ts";

export const requires = z
  .array(
    z.object({
      kind: z
        .enum(["EnvironmentCheck", "ModelServer", "Adapter", "TrainingRun", "AgentSession", "Evaluation", "EvolutionGeneration"])
        .describe("Kind of the object that is waited for."),
      name: objectName().describe("Name of the object, in the same namespace."),
      condition: text(63).min(1).describe("Condition that must be True before work starts, such as `Ready` or `GatePassed`."),
    }),
  )
  .max(16)
  .optional()
  .describe("Conditions of other objects that must be True before work starts; this is how a phase depends on a gate.");
