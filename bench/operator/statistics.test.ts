import { describe, expect, test } from "vitest";
import { median, percentile, slope, spreadOf } from "./statistics.ts";

describe("statistics", () => {
  test("the median of an even number of values lies between the two in the middle", () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([9, 1, 5])).toBe(5);
  });

  test("a percentile is linear between ranks and does not sort as text", () => {
    expect(percentile([100, 9, 20], 100)).toBe(100);
    expect(percentile([0, 10], 99)).toBeCloseTo(9.9);
    expect(percentile([], 50)).toBeNaN();
  });

  test("a spread leaves out what could not be measured, and there is none of nothing", () => {
    expect(spreadOf([3, undefined, 1, Number.NaN])).toEqual({ median: 2, min: 1, max: 3, samples: [3, 1] });
    expect(spreadOf([undefined])).toBeUndefined();
  });

  test("the slope is that of the line, whatever its offset, and noise around a level has none", () => {
    expect(
      slope([
        [0, 5],
        [1, 7],
        [2, 9],
      ]),
    ).toBeCloseTo(2);
    expect(
      slope([
        [0, 1],
        [1, 2],
        [2, 1],
      ]),
    ).toBeCloseTo(0);
    expect(slope([[1, 1]])).toBeNaN();
  });
});
