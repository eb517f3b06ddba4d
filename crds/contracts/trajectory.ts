import { z } from "zod";
import { digest, text } from "../fields/field.ts";
import { scope } from "../fields/scope.ts";
import { sessionOutcome } from "../fields/session-outcome.ts";
import { task } from "../kinds/agent-session.ts";
import { logRecord } from "./session-log.ts";

/** The single layer of a trajectory artifact: the unchanged log, with the object that it belongs to. */
export const trajectory = z.object({
  schema: z.literal("rune.dev/trajectory/v1"),
  session: z.object({ namespace: text(63), name: text(63), uid: text(64) }),
  task,
  scope,
  adapter: z.object({ name: text(63), digest: digest() }).optional(),
  outcome: sessionOutcome,
  records: z.array(logRecord),
});
export type Trajectory = z.infer<typeof trajectory>;

/**
 * A line of `corpus.jsonl`, the single layer of a corpus artifact. `examples` are questions that the trajectory helps
 * to answer, each with a program that passes; without them the questions of the sessions in its scope are used.
 */
export const corpusLine = z.object({
  trajectory,
  examples: z
    .array(z.object({ task, program: text(65536) }))
    .max(1000)
    .optional(),
});
export type CorpusLine = z.infer<typeof corpusLine>;
