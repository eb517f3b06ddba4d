import { z } from "zod";
import { whole } from "./field.ts";

/** Spec fields of every kind that ends. */
export const lifecycle = {
  suspend: z.boolean().optional().describe("Suspends the work while true; it resumes where it stopped when set to false."),
  ttlSecondsAfterFinished: whole(0, 31536000).optional().describe("Seconds after which the finished object is deleted; never when unset."),
};
