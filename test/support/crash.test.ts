import { describe, expect, test } from "vitest";
import type { LogRecord } from "../../crds/src/artifact.ts";
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
const ended = (n: number, epoch = 1): LogRecord => ({ type: "ended", ...at(n, epoch), outcome: "Exhausted", message: "no" });
const lost = (n: number, epoch: number): LogRecord => ({ type: "lost", ...at(n, epoch), message: "gone" });

describe("what a crash may leave in a log", () => {
  test("a step that was lost and repeated under a number of its own is in order", () => {
    const log = [intent(0, "execute"), lost(0, 2), intent(1, "execute", 2), executed(1, "a", 2), ended(2, 2)];
    expect(logViolations(log)).toEqual([]);
  });

  const broken: [string, LogRecord[], RegExp][] = [
    [
      "two results of one step",
      [intent(0, "execute"), executed(0, "a"), executed(0, "b"), ended(1)],
      /executed 0 stands in the log more than once/,
    ],
    ["two announcements of one step", [intent(0, "execute"), intent(0, "execute"), executed(0, "a"), ended(1)], /intent 0 stands/],
    [
      "a program judged twice",
      [intent(0, "execute"), executed(0, "a"), intent(1, "execute"), executed(1, "a"), ended(2)],
      /judged more than once: a/,
    ],
    ["an older epoch after a newer", [intent(0, "execute", 2), executed(0, "a", 1), ended(1, 2)], /executed 0 is of epoch 1, after 2/],
    ["a result without an announcement", [executed(0, "a"), ended(1)], /executed 0 has no intent/],
    ["no end", [intent(0, "execute"), executed(0, "a")], /how it ended/],
    ["two ends", [ended(0), ended(1)], /how it ended/],
  ];
  test.for(broken)("%s is told", ([, log, words]) => {
    expect(logViolations(log).join("\n")).toMatch(words);
  });
});
