import { z } from "zod";
import { digest, text, whole } from "../fields/field.ts";
import { isolation } from "../fields/isolation.ts";
import { mostSamples } from "../fields/sampling.ts";
import { sessionOutcome } from "../fields/session-outcome.ts";

/**
 * The result of one execution in the sandbox. `TestsUnusable` says nothing about the program: its tests can't run, or
 * can't be judged there.
 */
export const execution = z.object({
  passed: z.boolean(),
  outcome: z.enum(["Passed", "Failed", "Error", "Timeout", "OutOfMemory", "OutputLimit", "NoTests", "TestsUnusable"]),
  error: text(4000),
  durationSeconds: z.number(),
});
export type Execution = z.infer<typeof execution>;

const header = { n: whole(0, 1000000).describe("Number of the step."), epoch: whole(1, 1000000), time: z.iso.datetime() };

/** One record of the live log. Every effect has an intent before it and a result, or `lost`, after it. */
export const logRecord = z.discriminatedUnion("type", [
  z.object({ type: z.literal("isolation"), ...header, isolation }),
  z.object({
    type: z.literal("intent"),
    ...header,
    effect: z.enum(["generate", "execute"]),
    inputDigest: digest(),
    round: whole(0, 1000),
    input: z.unknown(),
  }),
  z.object({
    type: z.literal("generated"),
    ...header,
    programs: z.array(text(65536)).max(mostSamples),
    cutOff: whole(0, mostSamples)
      .optional()
      .describe(
        "Number of incomplete answers: they reached `maxTokens`, or their program was too long; unset in logs of earlier versions.",
      ),
    promptTokens: whole(0, 1e9),
    completionTokens: whole(0, 1e9),
    seconds: z.number().nonnegative().optional().describe("Duration of the request in seconds; unset in logs of earlier versions."),
  }),
  z.object({ type: z.literal("executed"), ...header, program: text(65536), execution }),
  z.object({
    type: z.literal("judged"),
    ...header,
    taskId: text(100),
    arm: text(30),
    samples: z.array(z.object({ program: text(65536), execution })).max(mostSamples),
  }),
  z.object({ type: z.literal("reflected"), ...header, round: whole(0, 1000), notes: z.array(text(2000)).max(100) }),
  z.object({ type: z.literal("lost"), ...header, message: text(2000) }),
  z.object({
    type: z.literal("ended"),
    ...header,
    outcome: sessionOutcome,
    message: text(2000),
  }),
]);
export type LogRecord = z.infer<typeof logRecord>;
/** A record before it is numbered and dated. */
export type LogRecordBody = LogRecord extends infer Each ? (Each extends LogRecord ? Omit<Each, "n" | "epoch" | "time"> : never) : never;

export const logStream = "RUNE_LOGS";
export const sessionSubject = (uid: string) => `rune.session.${uid}`;
export const evaluationSubject = (uid: string) => `rune.evaluation.${uid}`;
/** Name of the only consumer that the pods of an object may create. */
export const logConsumer = (uid: string) => `log-${uid}`;
/** Prefix of the inboxes of an object's pods. */
export const inboxPrefix = (uid: string) => `_INBOX.${uid}`;
