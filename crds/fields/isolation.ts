import { z } from "zod";
import { text, time, whole } from "./field.ts";

export const isolationProbe = z.object({
  name: text(100).describe("What was tried."),
  layer: whole(1, 2).describe("1: network policy alone; 2: process locks alone."),
  expected: z.enum(["Blocked", "Reached"]).describe("What a safe sandbox answers."),
  observed: z.enum(["Blocked", "Reached", "Error"]).describe("What happened."),
});
export const isolation = z
  .object({
    verified: z.boolean().describe("Whether every probe answered as a safe sandbox must."),
    probes: z.array(isolationProbe).max(64).describe("Each probe and its answer."),
    time: time().optional().describe("When the probes ran."),
  })
  .describe("The proof of isolation that stood before the first program ran.");
export type Isolation = z.infer<typeof isolation>;
