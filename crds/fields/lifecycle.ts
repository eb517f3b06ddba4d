import { z } from "zod";
import { whole } from "./field.ts";

/** Spec fields of every kind that ends. */
export const lifecycle = {
  suspend: z.boolean().optional().describe("Stops the work while true; it goes on where it was when set back."),
  ttlSecondsAfterFinished: whole(0, 31536000).optional().describe("Deletes the object this long after it ended; never when unset."),
};
