import { z } from "zod";

/** Pass@1 or a difference of two, with its interval, as numbers: what programs hand to each other. Status has the same as decimals, `interval`. */
export const rate = z.object({ estimate: z.number(), lower: z.number(), upper: z.number() });
