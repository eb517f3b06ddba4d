import { z } from "zod";
import { decimal, text, whole } from "./field.ts";

/** Limit of programs that are sampled for one task. */
export const mostSamples = 100;

export const sampling = z
  .object({
    temperature: decimal().optional().describe("Sampling temperature; 0 is greedy."),
    topP: decimal().optional().describe("Probability mass of nucleus (top-p) sampling."),
    maxTokens: whole(1, 32768).optional().describe("Maximum number of tokens per answer."),
    stop: z.array(text(100).min(1)).max(4).optional().describe("Strings that end an answer; the engine accepts at most four."),
  })
  .describe("Parameters by which the model's answers are sampled.");
export type Sampling = z.infer<typeof sampling>;
