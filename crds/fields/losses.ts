import { z } from "zod";
import { time, whole } from "./field.ts";

export const losses = z
  .object({
    count: whole(1, 1000000).describe("Epochs that were lost in a row, with no program executed in between."),
    time: time().describe("When the last of them was lost."),
    progress: whole(0, 10000000).describe("Programs that had been executed by then."),
  })
  .describe("Lost epochs. The pause before the next one grows with their number.");
export type Losses = z.infer<typeof losses>;
