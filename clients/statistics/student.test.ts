import { expect, test } from "vitest";
import { criticalZ } from "./normal.ts";
import { criticalT } from "./student.ts";

/** scipy 1.x: `stats.t.ppf(.975, df)`; whole numbers are in every textbook's table. */
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
  expect(criticalT(df, 0.05) / t).toBeCloseTo(1, 8);
});

/** By the regularized incomplete beta function of mpmath with 30 digits. */
test.each([
  [9, 0.2, 1.383028738396632],
  [24, 0.4, 0.856855458075656],
  [15, 1e-6, 7.903233627313883],
])("Student's t with %d degrees of freedom lies outside with a chance of %d beyond ±%d", (df, alpha, t) => {
  expect(criticalT(df, alpha) / t).toBeCloseTo(1, 8);
});

test("Student's t becomes the normal distribution", () => {
  expect(criticalT(1e9, 0.05)).toBeCloseTo(criticalZ(0.05), 5);
});

test.each([0, -1, Number.NaN])("Student's t with %d degrees of freedom is an error", (df) => {
  expect(() => criticalT(df, 0.05)).toThrow(RangeError);
});
