import { describe, expect, test } from "vitest";
import type { LogRecord } from "../../crds/contracts/session-log.ts";
import { logViolations } from "./crash.ts";

const time = "2026-01-01T00:00:00Z";
const at = (n: number, epoch = 1) => ({ n, epoch, time });
const intent = (n: number, effect: "generate" | "execute", epoch = 1): LogRecord => ({
  type: "intent",
  ...at(n, epoch),
  effect,
  inputDigest: `sha256:${"0".repeat(64)}`,
  round: 0,
  input: {},
});
const executed = (n: number, program: string, epoch = 1): LogRecord => ({
  type: "executed",
  ...at(n, epoch),
  program,
  execution: { passed: false, outcome: "Failed", error: "no", durationSeconds: 0.1 },
});
const generated = (n: number, ...programs: string[]): LogRecord => ({
  type: "generated",
  ...at(n),
  programs,
  promptTokens: 1,
  completionTokens: 1,
});
const reflected = (n: number, round = 0, epoch = 1): LogRecord => ({ type: "reflected", ...at(n, epoch), round, notes: [] });
type Outcome = Extract<LogRecord, { type: "ended" }>["outcome"];
const ended = (n: number, epoch = 1, outcome: Outcome = "Exhausted"): LogRecord => ({
  type: "ended",
  ...at(n, epoch),
  outcome,
  message: "no",
});
const lost = (n: number, epoch: number): LogRecord => ({ type: "lost", ...at(n, epoch), message: "gone" });
/** The first steps of a log, and one of its later ones. */
const answer = (...programs: string[]) => [intent(0, "generate"), generated(0, ...programs)];
const run = (n: number, program: string) => [intent(n, "execute"), executed(n, program)];

describe("what a crash may leave in a log", () => {
  const sound: [string, LogRecord[]][] = [
    [
      "a step that was lost and repeated under a number of its own",
      [...answer("a"), intent(1, "execute"), lost(1, 2), intent(2, "execute", 2), executed(2, "a", 2), reflected(3, 0, 2), ended(4, 2)],
    ],
    [
      "a program that was written twice and judged once",
      [
        ...[...answer("a", "a", "b"), ...run(1, "a"), ...run(2, "b"), reflected(3)],
        ...[intent(4, "generate"), generated(4, "b", "c"), ...run(5, "c"), reflected(6, 1), ended(7)],
      ],
    ],
    ["a step that the deadline cut off", [...answer("a", "b"), ...run(1, "a"), intent(2, "execute"), ended(3, 1, "DeadlineExceeded")]],
  ];
  test.for(sound)("%s is in order", ([, log]) => {
    expect(logViolations(log)).toEqual([]);
  });

  const broken: [string, LogRecord[], RegExp][] = [
    [
      "two results of one step",
      [...answer("a"), ...run(1, "a"), executed(1, "b"), ended(2)],
      /executed 1 stands in the log more than once/,
    ],
    ["two announcements of one step", [...answer("a"), intent(1, "execute"), ...run(1, "a"), ended(2)], /intent 1 stands/],
    ["a program judged twice", [...answer("a"), ...run(1, "a"), ...run(2, "a"), ended(3)], /judged more than once: a/],
    [
      "an older epoch after a newer",
      [...answer("a"), intent(1, "execute", 2), executed(1, "a", 1), ended(2, 2)],
      /executed 1 is of epoch 1, after 2/,
    ],
    ["a result without an announcement", [...answer("a"), executed(1, "a"), ended(2)], /executed 1 has no intent/],
    ["no end", [...answer("a"), ...run(1, "a")], /how it ended/],
    ["two ends", [ended(0), ended(1)], /how it ended/],
    [
      "a step without a result",
      [...answer("a"), intent(1, "execute"), ...run(2, "a"), reflected(3), ended(4)],
      /^the execute of step 1 has no result$/,
    ],
    ["an open step at an end of its own accord", [intent(0, "generate"), ended(1)], /^the generate of step 0 has no result$/],
    [
      "a step that was lost although it has a result",
      [...answer("a"), ...run(1, "a"), lost(1, 1), reflected(2), ended(3)],
      /^the execute of step 1 has executed and lost$/,
    ],
    [
      "a result of another kind",
      [...answer("a"), intent(1, "generate"), executed(1, "a"), reflected(2), ended(3)],
      /^the generate of step 1 has executed$/,
    ],
    [
      "a program that was never executed",
      [...answer("a", "b"), ...run(1, "b"), reflected(2), ended(3)],
      /^round 1 lacks the execution of a$/,
    ],
    [
      "programs executed in another order",
      [...answer("a", "b"), ...run(1, "b"), ...run(2, "a"), reflected(3), ended(4)],
      /^round 1 didn't do its work once and in order$/,
    ],
    [
      "a deadline that left out a program in the middle",
      [...answer("a", "b"), ...run(1, "b"), ended(2, 1, "DeadlineExceeded")],
      /^round 1 lacks the execution of a$/m,
    ],
    [
      "a program that nobody wrote",
      [...answer("a"), ...run(1, "a"), ...run(2, "x"), reflected(3), ended(4)],
      /^round 1 has the execution of x, which is not of it$/,
    ],
    ["a program executed before any answer", [...run(0, "a"), ended(1)], /^round 0 has the execution of a/],
    ["a round that was not looked back on", [...answer("a"), ...run(1, "a"), ended(2)], /^round 1 lacks its reflection$/],
  ];
  test.for(broken)("%s is told", ([, log, words]) => {
    expect(logViolations(log).join("\n")).toMatch(words);
  });
});
