import type { Completion } from "@rune/clients/inference/inference";
import type { AgentJob } from "@rune/crds/contracts/agent";
import type { LogRecord, LogRecordBody } from "@rune/crds/contracts/session-log";
import { recordOf } from "@rune/workloads-shared/log";
import type { Answers } from "@rune/workloads-shared/programs";
import type { Sandbox } from "@rune/workloads-shared/sandbox";
import { type LogLine, logLines } from "./log-lines.ts";
import { apply, type Session } from "./session.ts";

export type Question = Pick<Completion, "messages" | "prefill" | "n" | "sampling" | "requestID">;

/** Everything outside itself that a session uses. */
export type World = Pick<Sandbox, "execute" | "prove"> & {
  job: AgentJob;
  /** Appends one record after the last one that this agent has. Rejects with Fenced when another agent wrote. */
  append(record: LogRecord): Promise<void>;
  /** Rejects with InferenceUnavailable when there is no time left. */
  ask(question: Question): Promise<Answers>;
  /** Why the task's tests can't judge any program; empty where nothing speaks against them. */
  tryTests(): Promise<string>;
  now(): Date;
  /** Puts a line into the agent's own log. */
  log(line: LogLine): void;
};

/** Appends one record, logs it, and returns the session after it. A result has the number of its intent, any other record the next. */
export async function write(world: World, session: Session, body: LogRecordBody, n = session.next): Promise<Session> {
  const record = recordOf(body, { n, epoch: world.job.epoch, now: world.now() });
  await world.append(record);
  for (const line of logLines(record, session)) world.log(line);
  return apply(session, record);
}
