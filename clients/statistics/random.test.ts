import { expect, test } from "vitest";
import { below, seeded, shuffled } from "./random.ts";

const draw = (seed: number, label: string, count: number) => {
  const random = seeded(seed, label);
  return Array.from({ length: count }, random);
};

test("one seed and label give one sequence; another seed or label gives another", () => {
  expect(draw(1, "a", 5)).toEqual(draw(1, "a", 5));
  expect(draw(1, "a", 5)).not.toEqual(draw(2, "a", 5));
  expect(draw(1, "a", 5)).not.toEqual(draw(1, "b", 5));
});

test("numbers are in [0, 1) and spread evenly", () => {
  const numbers = draw(7, "spread", 100_000);
  expect(Math.min(...numbers.slice(0, 1000))).toBeGreaterThanOrEqual(0);
  const tenths = Map.groupBy(numbers, (number) => Math.floor(number * 10));
  expect([...tenths.keys()].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  for (const members of tenths.values()) expect(Math.abs(members.length - 10_000)).toBeLessThan(500);
});

test("a whole number below a size is each with the same chance", () => {
  const random = seeded(3, "die");
  const counts = Map.groupBy(
    Array.from({ length: 6000 }, () => below(6, random)),
    (side) => side,
  );
  for (const side of [0, 1, 2, 3, 4, 5]) expect(Math.abs((counts.get(side)?.length ?? 0) - 1000)).toBeLessThan(150);
});

test("shuffling keeps every item and leaves the original alone", () => {
  const items = [1, 2, 3, 4, 5, 6, 7, 8];
  const order = shuffled(items, seeded(1, "order"));
  expect(order).not.toEqual(items);
  expect([...order].sort()).toEqual(items);
  expect(items).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});
