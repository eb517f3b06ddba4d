import { lastLine } from "@rune/clients/runner/last-line";
import type { LogRecord } from "@rune/crds/contracts/session-log";
import type { Trajectory } from "@rune/crds/contracts/trajectory";
import type { Isolation } from "@rune/crds/fields/isolation";

const longestError = 300;

/** Summary of a session's log so far. */
export interface LogSummary {
  rounds: number;
  programs: number;
  /** What the newest program that failed raised, in one line. */
  lastError?: string;
  isolation?: Isolation;
  ended?: { outcome: Trajectory["outcome"]; message: string };
}

export function summarize(records: readonly LogRecord[]): LogSummary {
  const isolated = records.findLast((record) => record.type === "isolation");
  const failed = records.findLast((record) => record.type === "executed" && !record.execution.passed);
  const lastError = failed?.type === "executed" ? lastLine(failed.execution.error, longestError) : "";
  const ended = records.find((record) => record.type === "ended");
  return {
    rounds: records.filter((record) => record.type === "reflected").length,
    programs: records.filter((record) => record.type === "executed").length,
    ...(lastError && { lastError }),
    ...(isolated && { isolation: { ...isolated.isolation, time: isolated.time } }),
    ...(ended && { ended: { outcome: ended.outcome, message: ended.message } }),
  };
}
