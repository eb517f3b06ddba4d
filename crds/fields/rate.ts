import { z } from "zod";

export const rate = z.object({ estimate: z.number(), lower: z.number(), upper: z.number() });
