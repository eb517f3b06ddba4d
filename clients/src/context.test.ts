import type { LogRecord } from "@rune/crds/artifact";
import { describe, expect, test } from "vitest";
import { attemptsOf, inFrontOf, trajectoryText } from "./context.ts";

const executed = (n: number, program: string, passed: boolean, error = ""): LogRecord => ({
  type: "executed",
  n,
  epoch: 1,
  time: "2026-11-28T00:00:00Z",
  program,
  execution: { passed, outcome: passed ? "Passed" : "Error", error, durationSeconds: 0.5 },
});
const records = [
  executed(1, "\ndef solve(x):\n    return sorted(x)\n", false, "wrong answer for [3, 1, 2]\n"),
  executed(2, "def solve(x):\n    return y", false, " NameError: größe\u00a0\u0085"),
  executed(3, "\ndef solve(x):\n    return sorted(x)\n", false, "said otherwise later"),
  executed(4, "def solve(x):\n    return sorted(x[::-1])\n", true),
  executed(5, "def solve(x):\n    return sorted(list(x))\n", true),
];
const description = "\ufeffProject heron: reverse, then sort the list x. \n";

const head = "Task: \ufeffProject heron: reverse, then sort the list x.";
const parts = {
  sorted: "\nAttempt:\n```python\ndef solve(x):\n    return sorted(x)\n```\nFailed: wrong answer for [3, 1, 2]",
  y: "\nAttempt:\n```python\ndef solve(x):\n    return y\n```\nFailed: NameError: größe",
  reversed: "\nAttempt:\n```python\ndef solve(x):\n    return sorted(x[::-1])\n```\nPassed",
  list: "\nAttempt:\n```python\ndef solve(x):\n    return sorted(list(x))\n```\nPassed",
};

describe("a trajectory as text", () => {
  /** The trainer's `context_of` gives the same texts for these records and limits. */
  test.each([
    ["whole", 10_000, head + parts.sorted + parts.y + parts.reversed + parts.list],
    ["without its oldest failed attempt", 330, head + parts.y + parts.reversed + parts.list],
    ["without its failed attempts", 220, head + parts.reversed + parts.list],
    ["as its last program that passed", 140, head + parts.list],
  ])("is told %s where it has %d characters", (_, most, text) => {
    expect(trajectoryText(description, attemptsOf({ records }), (each) => each.length <= most)).toBe(text);
  });

  test("isn't told where not even its task and last program fit", () => {
    expect(trajectoryText(description, attemptsOf({ records }), (text) => text.length <= 60)).toBeUndefined();
  });
});

test("context stands at the head of the first user's turn, and nothing changes without it", () => {
  const asked = [
    { role: "system" as const, content: "s" },
    { role: "user" as const, content: "q" },
    { role: "user" as const, content: "r" },
  ];
  expect(inFrontOf(asked, "told").map(({ content }) => content)).toEqual(["s", "told\n\nq", "r"]);
  expect(inFrontOf(asked, "")).toEqual(asked);
});
