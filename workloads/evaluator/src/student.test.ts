import { expect, test } from "vitest";
import { criticalT, criticalZ } from "./student.ts";

/** scipy 1.x: `stats.t.ppf(.975, df)`; whole numbers stand in every textbook's table. */
const table: [df: number, t: number][] = [
  [1, 12.706204736],
  [1.3, 7.50052933],
  [2, 4.302652729749],
  [2.5, 3.574654842],
  [5, 2.570581835636],
  [9, 2.262157162798],
  [15, 2.131449545559],
  [29.5, 2.043724966772],
  [99, 1.984216951586],
  [1000, 1.962339080826],
  [100_000, 1.959987707],
];

test.each(table)("Student's t with %d degrees of freedom has 95 %% within ±%d", (df, t) => {
  expect(criticalT(df) / t).toBeCloseTo(1, 8);
});

test("Student's t becomes the normal distribution", () => {
  expect(criticalT(1e9)).toBeCloseTo(criticalZ, 5);
});

test.each([0, -1, Number.NaN])("Student's t with %d degrees of freedom is an error", (df) => {
  expect(() => criticalT(df)).toThrow(RangeError);
});
