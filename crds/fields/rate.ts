import { z } from "zod";

/**
 * Pass@1 or a difference of two, with its interval, as numbers for documents. Status has decimal strings, `interval`.
 */
export const rate = z.object({ estimate: z.number(), lower: z.number(), upper: z.number() });
