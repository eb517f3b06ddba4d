import { z } from "zod";

/** How a session's work ended. */
export const sessionOutcome = z.enum(["Solved", "Exhausted", "DeadlineExceeded", "Aborted"]);
