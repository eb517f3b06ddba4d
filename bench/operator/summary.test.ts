import { expect, test } from "vitest";
import type { Sample } from "./sample.ts";
import { ratio } from "./statistics.ts";
import { summarize } from "./summary.ts";

const sample = (round: number, more: Partial<Sample>): Sample => ({
  workload: "burst",
  operator: "kopf-ts",
  round,
  units: 100,
  done: 100,
  ...more,
});

test("the rounds of one operator become medians with their spread, and requests medians a unit", () => {
  const [summary] = summarize([
    sample(1, { unitsPerSecond: 10, requests: { "update status": 100, list: 1 } }),
    sample(2, { unitsPerSecond: 30, requests: { "update status": 120 } }),
    sample(3, { unitsPerSecond: 20, requests: { "update status": 100 } }),
  ]);
  expect(summary?.figures.unitsPerSecond).toMatchObject({ median: 20, min: 10, max: 30 });
  expect(summary?.figures.p50Milliseconds).toBeUndefined();
  expect(summary?.requests).toEqual({ list: 0, "update status": 1 });
  expect(summary?.rounds).toBe(3);
});

test("a round that failed is left out of the figures and of the count of rounds", () => {
  const [summary] = summarize([sample(1, { unitsPerSecond: 10 }), sample(2, { units: 0, done: 0, failed: "it did not start" })]);
  expect(summary).toMatchObject({ rounds: 1, done: 100, figures: { unitsPerSecond: { samples: [10] } } });
});

test("a ratio needs both sides", () => {
  const spread = (median: number) => ({ median, min: median, max: median, samples: [median] });
  expect(ratio(spread(3), spread(2))).toBe(1.5);
  expect(ratio(spread(3), undefined)).toBeUndefined();
  expect(ratio(spread(3), spread(0))).toBeUndefined();
});
