import { describe, expect, it } from "vitest";
import { amountOf, quantity, quantityAboveZero } from "./quantity.ts";

/** Legal in Kubernetes (resource.ParseQuantity), with their values. */
const legal: readonly (readonly [string, number])[] = [
  ["1", 1],
  ["1.", 1],
  [".5", 0.5],
  ["+1", 1],
  ["007", 7],
  ["1500m", 1.5],
  ["250u", 0.00025],
  ["1000000000n", 1],
  ["0.5k", 500],
  ["524288Ki", 2 ** 29],
  ["512Mi", 2 ** 29],
  ["1G", 1e9],
  ["1T", 1e12],
  ["1P", 1e15],
  ["1E", 1e18],
  ["1Pi", 2 ** 50],
  ["1Ei", 2 ** 60],
  ["2e3", 2000],
  ["2E3", 2000],
  ["2e+3", 2000],
  ["1.5e3", 1500],
  ["2000e-3", 2],
  ["128974848000m", 128_974_848],
];
const zero = ["0", "0.0", "00", ".0", "0.", "0Mi", "0e3", "0e999", "+0", "0m"];
const illegal = ["", "-1", "1K", "512ki", "512mi", "1 Gi", "1GB", "e3", ".", "1e", "1e3Mi", "1e1.5", "1Ei3", "one", "1,5", "0x10", "1\n"];

const accepts = (schema: { safeParse(value: string): { success: boolean } }, text: string) => schema.safeParse(text).success;

describe("a quantity", () => {
  it.each(legal)("%s is legal, above zero, and %d", (text, value) => {
    expect([accepts(quantity(), text), accepts(quantityAboveZero(), text)]).toEqual([true, true]);
    expect(amountOf(text)).toBeCloseTo(value, 9);
  });

  it.each(zero)("%s is legal, but no size and no limit", (text) => {
    expect([accepts(quantity(), text), accepts(quantityAboveZero(), text)]).toEqual([true, false]);
    expect(amountOf(text)).toBe(0);
  });

  it.each(illegal)("'%s' is none, and never guessed", (text) => {
    expect([accepts(quantity(), text), accepts(quantityAboveZero(), text)]).toEqual([false, false]);
    expect(() => amountOf(text)).toThrow(`${text} is no Kubernetes quantity`);
  });

  it("is cut to what Kubernetes can hold, so that it always is a number", () => {
    expect(amountOf("1e999")).toBe(2 ** 63 - 1);
    expect(amountOf("16Ei")).toBe(2 ** 63 - 1);
  });
});
