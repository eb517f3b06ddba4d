import { expect, test } from "vitest";
import { Runs } from "./runs.ts";

test("runs of one key one after the other are not concurrent, runs of different keys may be", () => {
  const runs = new Runs();
  runs.started(1, "a", 0);
  runs.started(1, "b", 5);
  runs.ended(1, "a", 10);
  runs.started(1, "a", 10);
  runs.ended(1, "a", 20);
  runs.ended(1, "b", 30);
  expect(runs.count).toBe(3);
  expect(runs.concurrent()).toEqual([]);
});

test("two processes with the same key at the same time are found, in whatever order their words arrive", () => {
  const runs = new Runs();
  runs.started(1, "a", 0);
  runs.ended(1, "a", 100);
  runs.started(2, "a", 50);
  runs.ended(2, "a", 60);
  expect(runs.concurrent()).toHaveLength(1);
});

test("a long run overlaps with all that begin within it", () => {
  const runs = new Runs();
  for (const [process, from, to] of [
    [1, 0, 100],
    [2, 10, 20],
    [3, 30, 40],
  ] as const) {
    runs.started(process, "a", from);
    runs.ended(process, "a", to);
  }
  expect(runs.concurrent()).toHaveLength(2);
});

test("what a dead process had begun ends with it", () => {
  const runs = new Runs();
  runs.started(1, "a", 0);
  runs.died(1, 50);
  runs.started(2, "a", 60);
  runs.ended(2, "a", 70);
  expect(runs.count).toBe(2);
  expect(runs.concurrent()).toEqual([]);
});
