import { logRecord } from "@rune/crds/contracts/session-log";
import { task } from "@rune/crds/kinds/agent-session";
import { vectors } from "@rune/crds/testing/vectors";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { attemptsOf, inFrontOf, trajectoryText } from "./trajectory-text.ts";

/** The trainer's `context_of` for these records; its test compares with the same file. */
const vector = vectors(
  "trajectory-text",
  z.object({ task, records: z.array(logRecord), texts: z.array(z.object({ most: z.number(), text: z.string() })) }),
);
const textOf = (most: number) => trajectoryText(vector.task.description, attemptsOf(vector), (text) => [...text].length <= most);

describe("a trajectory as text", () => {
  test.each(vector.texts.map(({ most, text }) => [most, text]))("of at most %d characters is what the trainer reads", (most, text) => {
    expect(textOf(most)).toBe(text);
  });

  test("leaves out the oldest failed attempts first, then the oldest that passed", () => {
    const kept = vector.texts.map(({ text }) => [...text.matchAll(/^(Failed|Passed)/gm)].map(([, end]) => end));
    expect(kept).toEqual([["Failed", "Failed", "Passed", "Passed"], ["Failed", "Passed", "Passed"], ["Passed", "Passed"], ["Passed"]]);
  });

  test("isn't told where not even its task and last program fit", () => {
    expect(textOf(60)).toBeUndefined();
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
