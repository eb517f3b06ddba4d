import { expect, it } from "vitest";
import { nonce } from "./nonce.ts";

it("is two words that can be spoken, and never the same ones", () => {
  const made = Array.from({ length: 500 }, nonce);
  expect(made.filter((each) => !/^([b-df-hj-np-tv-z][aeiou]){3}-([b-df-hj-np-tv-z][aeiou]){3}$/.test(each))).toEqual([]);
  expect(new Set(made).size).toBe(500);
});
