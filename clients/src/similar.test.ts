import { expect, test } from "vitest";
import { similarity } from "./similar.ts";

const texts = ["sort a list of numbers", "sort a list of words by length", "reverse the words of a text"];

test("a text is most similar to itself, whatever its case", () => {
  for (const [index, text] of texts.entries()) {
    const near = similarity(texts)(text.toUpperCase());
    expect(near[index]).toBeCloseTo(1);
    expect(Math.max(...near.filter((_, other) => other !== index))).toBeLessThan(0.9);
  }
});

test("words that few texts have tell more than those of all", () => {
  const [numbers = 0, words = 0] = similarity(texts)("a list of words");
  expect(words).toBeGreaterThan(numbers);
});

test("without a common word nothing is similar", () => {
  expect(similarity(texts)("fetch pages")).toEqual([0, 0, 0]);
  expect(similarity([])("anything")).toEqual([]);
});
