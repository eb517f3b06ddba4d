import { expect, test } from "vitest";
import { learntHash } from "./learnt.ts";

/** By `hash_of` of the trainer, which writes what is compared with these. */
test.each([
  ["", "e3b0c44298fc1c14"],
  ["Do both-veil.", "cff9f052d0a765ca"],
  ["  Do\t\n  both-veil. \r\n", "cff9f052d0a765ca"],
  ["gr\u00f6\u00dfer\u00a0als\u2003zwei\u0085drei\u001cvier", "27d8dbb7ebd3b166"],
  ["\ufeff a \u3000", "ca978112ca1bbdca"],
])("%j is told apart by %s", (text, hash) => {
  expect(learntHash(text)).toBe(hash);
});
