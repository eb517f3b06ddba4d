import { expect, test } from "vitest";
import { criticalZ, normalTail } from "./normal.ts";

/** mpmath: `ncdf(-z)`; scipy: `stats.norm.sf(z)`. */
test.each([
  [-1, 0.8413447460685429],
  [0, 0.5],
  [1.959963984540054, 0.025],
  [2.999, 0.0013543365337243],
  [3, 0.0013498980316300946],
  [6, 9.865876450376946e-10],
  [9, 1.1285884059538324e-19],
])("beyond %d lies %d of the normal distribution", (z, tail) => {
  expect(normalTail(z) / tail).toBeCloseTo(1, 6);
});

test.each([
  [0.5, 0.6744897501960817],
  [0.05, 1.959963984540054],
  [0.01, 2.5758293035489],
  [1e-12, 7.130509],
])("with a chance of %d it lies outside ±%d", (alpha, z) => {
  expect(criticalZ(alpha) / z).toBeCloseTo(1, 6);
});

test.each([0, 1, Number.NaN])("a chance of %d is an error", (alpha) => {
  expect(() => criticalZ(alpha)).toThrow(RangeError);
});
