import { z } from "zod";
import { text, time, whole } from "./field.ts";

export const losses = z
  .object({
    count: whole(1, 1000000).describe(
      "Number of consecutive epochs whose worker or sandbox pod was lost, without a program executed in between.",
    ),
    time: time().describe("Time at which the latest epoch was lost."),
    progress: whole(0, 10000000).describe("Number of programs that had been executed when the latest epoch was lost."),
    message: text(1024).optional().describe("Why the latest epoch was lost."),
  })
  .describe("Consecutive losses of the worker or sandbox pod. The pause before the next epoch grows with their number.");
export type Losses = z.infer<typeof losses>;
