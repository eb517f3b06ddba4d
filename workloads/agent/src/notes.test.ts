import { expect, test } from "vitest";
import { distil, lesson } from "./notes.ts";

const everything = `AttributeError: lib has no 'x'; ${Array.from({ length: 4 }, (_, i) => `use lib.f${i}(x) for the ${i}`).join("; ")}`;
const hint = "AttributeError: tessera has no 'slug'; use tessera.moniker(x) for the house slug of a title (str -> str)";
const failed = (error: string) => ({ execution: { passed: false, outcome: "Error" as const, error, durationSeconds: 0 } });

test.each([
  ["a hint of what to use teaches", hint, hint],
  ["only the last line counts", `Traceback\n  use nothing\n${hint}\n\n`, hint],
  [
    "a near miss teaches",
    "NameError: name 'lenght' is not defined. Did you mean: 'len'?",
    "NameError: name 'lenght' is not defined. Did you mean: 'len'?",
  ],
  ["what was expected and what came teaches", "TypeError: expected str, got int", "TypeError: expected str, got int"],
  ["a suggestion to call something teaches", "ValueError: call open() first", "ValueError: call open() first"],
  ["a wrong answer teaches nothing, it only gives the test away", "AssertionError: solve('Oak') returned 'oak', expected 'x'", undefined],
  ["a plain error teaches nothing", "ZeroDivisionError: division by zero", undefined],
  ["a prohibition teaches nothing", "TypeError: cannot use a string pattern on a bytes-like object", undefined],
  ["what lists everything teaches nothing", everything, undefined],
  ["a novel teaches nothing", `use x ${"y".repeat(600)}`, undefined],
  ["silence teaches nothing", "", undefined],
])("%s", (_, error, expected) => {
  expect(lesson(error)).toBe(expected);
});

test("notes are kept once, the newest three, in the order they came", () => {
  const errors = ["use a.one", "use a.two", "use a.one", "use a.three", "division by zero", "use a.four"];
  expect(distil([], errors.map(failed))).toEqual(["use a.two", "use a.three", "use a.four"]);
  expect(distil(["use a.four", "use b.old"], [failed("use a.four")])).toEqual(["use a.four", "use b.old"]);
});

test("a program that passed leaves no note", () => {
  expect(distil([], [{ execution: { passed: true, outcome: "Passed", error: hint, durationSeconds: 0 } }])).toEqual([]);
});
