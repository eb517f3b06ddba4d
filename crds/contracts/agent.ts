import { z } from "zod";
import { whole } from "../fields/field.ts";
import { sampling } from "../fields/sampling.ts";
import { sessionOutcome } from "../fields/session-outcome.ts";
import { task } from "../kinds/agent-session.ts";
import { model, nats, owner, resolvedSandbox } from "./pod.ts";

/** Input of the agent: one epoch of one session. */
export const agentJob = z.object({
  owner,
  epoch: whole(1, 1000000),
  task,
  model: model.extend({
    maxModelLength: whole(256, 1048576).describe("Maximum length of a sequence, prompt and answer together, in tokens."),
  }),
  attempts: whole(1, 50),
  candidates: whole(1, 16),
  reflection: z.enum(["Notes", "History"]),
  sampling,
  sandbox: resolvedSandbox,
  nats,
  deadline: z.iso.datetime().describe("Time at which the session's deadline ends."),
  logLevel: z
    .enum(["info", "debug"])
    .default("info")
    .describe("Level of the agent's own log, which includes prompts, programs and notes at debug."),
});
export type AgentJob = z.infer<typeof agentJob>;

/** Termination message of the agent. The log is authoritative; this message only makes the operator read it sooner. */
export const agentResult = z.object({
  outcome: sessionOutcome,
  lastSequence: whole(0, Number.MAX_SAFE_INTEGER),
});
