import { expect, test } from "vitest";
import { similarity } from "./text-similarity.ts";

const texts = ["Sort the list of numbers.", "Parse the date of a log line.", "Sort the table by its date."];

test("a text is most like itself, and not like one that shares no word with it", () => {
  const like = similarity(texts);
  for (const [index, text] of texts.entries()) expect(like(text)[index]).toBeCloseTo(1, 12);
  expect(like("quux")).toEqual([0, 0, 0]);
  expect(like("")).toEqual([0, 0, 0]);
});

test("a rare word tells more than a common one, however it is written", () => {
  const [first = 0, second = 0] = similarity(texts)("PARSE the");
  expect(second).toBeGreaterThan(first);
});

test("is computed by counts and rarity", () => {
  // Two texts: a is in both, so it weighs 1; b in one, so it weighs log(3 / 2) + 1.
  const b = Math.log(3 / 2) + 1;
  expect(similarity(["a b", "a a"])("a b")[0]).toBeCloseTo(1, 12);
  expect(similarity(["a b", "a a"])("a b")[1]).toBeCloseTo(1 / Math.sqrt(1 + b * b), 12);
});
