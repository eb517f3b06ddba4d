import { describe, expect, test } from "vitest";
import { alphaOfLook, boundaryConstant } from "./looks.ts";
import { criticalZ } from "./normal.ts";

describe("several looks", () => {
  /** Jennison and Turnbull 2000, "Group Sequential Methods with Applications to Clinical Trials", table 2.3: C_B(K, α). */
  test.each([
    [0.1, [1.678, 1.71, 1.733, 1.751]],
    [0.05, [1.977, 2.004, 2.024, 2.04]],
    [0.01, [2.58, 2.595, 2.609, 2.621]],
  ])("at a chance of %d have the boundaries of the published table", (alpha, published) => {
    for (const [index, constant] of published.entries()) expect(boundaryConstant(alpha, index + 2)).toBeCloseTo(constant, 3);
  });

  test("are strict at first, nearly free at last, and a single one costs nothing", () => {
    const boundaries = [1, 2, 3].map((number) => criticalZ(alphaOfLook(0.05, { number, of: 3 })));
    for (const [index, boundary] of [3.471, 2.454, 2.004].entries()) expect(boundaries[index]).toBeCloseTo(boundary, 3);
    expect(alphaOfLook(0.05, { number: 1, of: 1 })).toBe(0.05);
  });

  test("of the strictest confidence still have a chance that can be computed with", () => {
    const alpha = alphaOfLook(1e-4, { number: 1, of: 5 });
    expect(alpha).toBeGreaterThan(0);
    expect(alpha).toBeLessThan(1e-15);
  });

  test.each([
    [0, 3],
    [4, 3],
  ])("don't have look %d of %d", (number, of) => {
    expect(() => alphaOfLook(0.05, { number, of })).toThrow(RangeError);
  });
});
