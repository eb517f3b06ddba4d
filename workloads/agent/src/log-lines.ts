import { sha256 } from "@rune/clients/registry/digest";
import { lastLine } from "@rune/clients/runner/last-line";
import type { LogRecord } from "@rune/crds/contracts/session-log";
import type { Session } from "./session.ts";

/** One line of the agent's own log, for anyone who asks what happened. Prompts, programs and notes stand in `debug` lines alone. */
export type LogLine = { level: "info" | "debug"; message: string; [field: string]: unknown };

const longestError = 300;

/** What the log says of a record, once it is written. `before` is the session as it was without it. */
export function logLines(record: LogRecord, before: Session): LogLine[] {
  const round = before.round + 1;
  const info = (message: string, fields: object): LogLine => ({ level: "info", message, n: record.n, ...fields });
  const debug = (message: string, fields: object): LogLine => ({ level: "debug", message, n: record.n, ...fields });
  switch (record.type) {
    case "isolation": {
      const { verified, probes } = record.isolation;
      return [info("the sandbox was probed", { epoch: record.epoch, verified, probes: probes.length })];
    }
    case "intent":
      return record.effect === "generate" ? [info("the model is asked", { round })] : [];
    case "generated": {
      const { programs, cutOff, promptTokens, completionTokens, seconds } = record;
      const incomplete = cutOff ? { cutOff } : {};
      return [info("the model answered", { round, programs: programs.length, ...incomplete, promptTokens, completionTokens, seconds })];
    }
    case "executed": {
      const { outcome, error, durationSeconds: seconds } = record.execution;
      const program = sha256(record.program);
      const verdict = { round, program, outcome, ...(error && { error: lastLine(error, longestError) }), seconds };
      return [info("a program was judged", verdict), debug("its text", { program, text: record.program, error })];
    }
    case "reflected":
      return [info("the round is over", { round, notes: record.notes.length }), debug("what it taught", { round, notes: record.notes })];
    case "lost":
      return [info(record.message, { round })];
    case "ended":
      return [info(record.message, { outcome: record.outcome })];
    case "judged":
      return [];
    default:
      return record satisfies never;
  }
}
